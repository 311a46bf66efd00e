"""The runs of a comparison, and how they are paired.

Latencies drift: the machine warms up, neighbours come and go. Runs in the order A B B A, compared pair by pair,
cancel a steady drift; with all A first, then all B, it would look like a difference between the builds. So runs are
paired in the order in which they were made, and any imbalance of that order is measured. An experiment knows the
order of its runs; that of others follows from when they started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from wsload.judge.compare.outcomes import Outcomes

_MAX_NAMES: Final = 3


class Side(StrEnum):
    """Which build a run was made with."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"

    @property
    def letter(self) -> str:
        """A or B, as people call it."""
        return "A" if self is Side.BASELINE else "B"


class Place(NamedTuple):
    """A run's place in an experiment."""

    slot: int = 0
    """Its number in the order in which the runs are made, from 1; 0 for a run of no experiment."""
    stage: int = 0
    """0 for the planned runs, 1 for the first extension …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What a comparison needs of a run."""

    name: str
    """The name of its directory."""
    side: Side
    started_s: float
    """Its start, in seconds since the epoch; gives the order of runs of no experiment."""
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict)
    """By name: ``open``, ``message``, and everything else that the run timed or failed at."""
    requests: frozenset[str] = frozenset()
    """Those names that are requests or steps."""
    trusted: Mapping[str, float] = field(default_factory=dict)
    """By name, the highest trusted percentile; absent names are trusted up to the maximum."""
    valid: bool = True
    """Whether any of the run's figures is trusted."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Conditions that must be the same in all runs, by name: ``users``, ``rate``, ``machine`` …"""
    slot: int = 0
    """See `Place`."""
    stage: int = 0
    """See `Place`."""

    @property
    def order(self) -> tuple[int, float]:
        """Sorts runs in the order in which they were made; an experiment's even if the clock was set back."""
        return self.slot, self.started_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A run that was not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Which runs are compared with each other."""

    pairs: tuple[tuple[RunFigures, RunFigures], ...]
    """(baseline, candidate), in the order they ran; both valid."""
    excluded: tuple[Excluded, ...]
    offset: float
    """By how many runs the candidate came later than the baseline, averaged over the pairs: 0 for
    balanced A B B A blocks, 1 for A B A B, n for n runs of A and then n of B."""


class Basis(StrEnum):
    """How the scatter between runs is known."""

    PAIRS = "pairs"
    """From at least two pairs: the scatter of their ratios."""
    RUNS = "runs"
    """Several runs on one side, too few on the other to pair them: from the scatter within each side."""
    STATED = "stated"
    """One run per side, and a scatter that the user states."""
    NONE = "none"
    """One run per side, and no known scatter: nothing can be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The runs that are used, and on what basis."""

    basis: Basis
    baseline: tuple[RunFigures, ...]
    """In the order they ran; with `Basis.PAIRS`, the i-th is paired with the candidate's i-th."""
    candidate: tuple[RunFigures, ...]
    excluded: tuple[Excluded, ...]
    offset: float
    """See `Pairing.offset`; without pairs, the distance of the sides' mean places in the order."""

    @property
    def pairs(self) -> tuple[tuple[RunFigures, RunFigures], ...]:
        """The paired runs; empty if they are not paired."""
        paired = self.basis is not Basis.RUNS
        return tuple(zip(self.baseline, self.candidate, strict=True)) if paired else ()

    @property
    def runs(self) -> tuple[RunFigures, ...]:
        return self.baseline + self.candidate


def pair_up(runs: Iterable[RunFigures]) -> Pairing:
    """Pairs the i-th baseline run with the i-th candidate run, both in the order they ran.

    Runs that are not valid are paired too, and then dropped with their partner: dropping them first would shift all
    later pairs. Runs of no experiment with the same start time keep the given order.
    """
    ordered = sorted(runs, key=lambda run: run.order)
    place = {id(run): number for number, run in enumerate(ordered)}
    a_runs = [run for run in ordered if run.side is Side.BASELINE]
    b_runs = [run for run in ordered if run.side is Side.CANDIDATE]
    pairs, excluded = [], []
    for a, b in zip(a_runs, b_runs, strict=False):
        if a.valid and b.valid:
            pairs.append((a, b))
            continue
        for run, other in ((a, b), (b, a)):
            reason = f"its partner {other.name} is not valid" if run.valid else "not valid"
            excluded.append(Excluded(name=run.name, reason=reason))
    for run in a_runs[len(b_runs) :] + b_runs[len(a_runs) :]:
        reason = "no run of the other side to pair it with" if run.valid else "not valid"
        excluded.append(Excluded(name=run.name, reason=reason))
    apart = [place[id(b)] - place[id(a)] for a, b in pairs]
    return Pairing(
        pairs=tuple(pairs),
        excluded=tuple(excluded),
        offset=sum(apart) / len(apart) if apart else 0.0,
    )


def design(runs: Sequence[RunFigures], *, stated: bool = False, paired: bool = False) -> Design | None:
    """How these runs can be compared; None if a side has no valid run.

    Pairs are used if there are two or more and they leave at most half of a side's valid runs unused. ``paired`` says
    that only pairs may be used, as in an experiment; None then means that there is no valid pair. ``stated`` says that
    the user states the scatter, for one run per side.
    """
    pairing = pair_up(runs)
    ordered = sorted((run for run in runs if run.valid), key=lambda run: run.order)
    places: dict[Side, list[int]] = {side: [] for side in Side}
    for place, run in enumerate(ordered):
        places[run.side].append(place)
    a, b = (tuple(ordered[place] for place in places[side]) for side in Side)
    if not (pairing.pairs if paired else a and b):
        return None
    alone = Basis.STATED if stated else Basis.NONE
    if paired or (len(pairing.pairs) >= 2 and max(len(a), len(b)) <= 2 * len(pairing.pairs)):
        return Design(
            basis=Basis.PAIRS if len(pairing.pairs) >= 2 else alone,
            baseline=tuple(pair[0] for pair in pairing.pairs),
            candidate=tuple(pair[1] for pair in pairing.pairs),
            excluded=pairing.excluded,
            offset=pairing.offset,
        )
    mean_a, mean_b = (sum(places[side]) / len(places[side]) for side in Side)
    return Design(
        basis=Basis.RUNS if len(ordered) > 2 else alone,
        baseline=a,
        candidate=b,
        excluded=tuple(Excluded(name=run.name, reason="not valid") for run in runs if not run.valid),
        offset=mean_b - mean_a,
    )


def differing_conditions(runs: Sequence[RunFigures]) -> tuple[str, ...]:
    """A sentence for each condition in which the runs differ."""
    found = []
    for name in sorted({name for run in runs for name in run.conditions}):
        by_value: dict[str, list[RunFigures]] = {}
        for run in runs:
            by_value.setdefault(run.conditions.get(name, "not known"), []).append(run)
        if len(by_value) > 1:
            groups = (f"{value} in {_which(some, runs)}" for value, some in by_value.items())
            found.append(f"the runs differ in {name}: {'; '.join(groups)}")
    return tuple(found)


def _which(some: Sequence[RunFigures], runs: Sequence[RunFigures]) -> str:
    """The side, if these are all of its runs, or else the first few names."""
    for side in Side:
        if some == [run for run in runs if run.side is side]:
            return f"the {side}"
    names = [run.name for run in some[:_MAX_NAMES]]
    return ", ".join(names) + (f" and {len(some) - len(names)} more" if len(some) > len(names) else "")
