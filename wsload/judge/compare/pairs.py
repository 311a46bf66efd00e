"""The runs of a comparison as values, and which of them are held against each other.

Latencies drift: the machine warms up, neighbours come and go. Runs made in the order A B B A, and held
against each other pair by pair, cancel a steady drift; runs made all A, then all B, turn it into a
difference between the builds. So pairs follow the order in which the runs were made, and what is missing
of the order's balance is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wsload.judge.compare.outcomes import Outcomes

_MOST_NAMES: Final = 3


class Side(StrEnum):
    """Which build a run was made with."""

    BASELINE = "baseline"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """One run, as far as a comparison looks at it."""

    name: str
    """What people call the run: its directory's name."""
    side: Side
    started_s: float
    """When it began, seconds since the epoch: gives the order."""
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict)
    """By name: ``open``, ``message``, and all else that the run timed or failed at."""
    requests: frozenset[str] = frozenset()
    """Which of these are requests or steps that a user class named."""
    trusted: Mapping[str, float] = field(default_factory=dict)
    """By name, the highest percentile the load generator can vouch for; those absent are not limited."""
    valid: bool = True
    """Whether the run vouches for any of its figures."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What must be alike in all the runs, by name: ``users``, ``rate``, ``machine`` …"""
    stage: int = 0
    """Which stage of an experiment it belongs to: 0 for what was planned, 1 for the first extension …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A run that was not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Which runs are held against each other."""

    pairs: tuple[tuple[RunFigures, RunFigures], ...]
    """(baseline, candidate), in the order they ran; both valid."""
    excluded: tuple[Excluded, ...]
    offset: float
    """By how many runs the candidate came later than the baseline, averaged over the pairs: 0 for
    balanced A B B A blocks, 1 for A B A B, n for n runs of A and then n of B."""


class Basis(StrEnum):
    """What tells the builds from the scatter between runs."""

    PAIRS = "pairs"
    """At least two pairs: the scatter of the pairs' ratios."""
    RUNS = "runs"
    """Several runs on one side, too few on the other to pair them: the runs' scatter on either side."""
    STATED = "stated"
    """One run a side, and a scatter between runs that the user states."""
    NONE = "none"
    """One run a side, and nothing known of the scatter between runs: nothing can be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The runs that are used, and on what basis."""

    basis: Basis
    baseline: tuple[RunFigures, ...]
    """In the order they ran; with `Basis.PAIRS`, the i-th belongs to the candidate's i-th."""
    candidate: tuple[RunFigures, ...]
    excluded: tuple[Excluded, ...]
    offset: float
    """See `Pairing.offset`; without pairs, the distance of the sides' mean places in the order."""

    @property
    def pairs(self) -> tuple[tuple[RunFigures, RunFigures], ...]:
        """The runs by pairs; empty where they are not used so."""
        paired = self.basis is not Basis.RUNS
        return tuple(zip(self.baseline, self.candidate, strict=True)) if paired else ()

    @property
    def runs(self) -> tuple[RunFigures, ...]:
        return self.baseline + self.candidate


def pair_up(runs: Iterable[RunFigures]) -> Pairing:
    """The i-th baseline run against the i-th candidate run, both in the order they ran.

    Runs that are not valid take their place in the order, and only then drop out with their partner:
    leaving them out first would shift all later pairs against each other. Ties of start time keep the
    given order.
    """
    ordered = sorted(runs, key=lambda run: run.started_s)
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


def design(runs: Sequence[RunFigures], *, stated: bool = False) -> Design | None:
    """How these runs can be compared; None where a side has no valid run.

    Pairs are used where there are two or more and they leave at most half of a side's valid runs unused;
    ``stated`` says that the scatter between runs is known for one run a side.
    """
    pairing = pair_up(runs)
    ordered = sorted((run for run in runs if run.valid), key=lambda run: run.started_s)
    places: dict[Side, list[int]] = {side: [] for side in Side}
    for place, run in enumerate(ordered):
        places[run.side].append(place)
    a, b = (tuple(ordered[place] for place in places[side]) for side in Side)
    if not (a and b):
        return None
    if len(pairing.pairs) >= 2 and max(len(a), len(b)) <= 2 * len(pairing.pairs):
        return Design(
            basis=Basis.PAIRS,
            baseline=tuple(pair[0] for pair in pairing.pairs),
            candidate=tuple(pair[1] for pair in pairing.pairs),
            excluded=pairing.excluded,
            offset=pairing.offset,
        )
    alone = Basis.STATED if stated else Basis.NONE
    mean_a, mean_b = (sum(places[side]) / len(places[side]) for side in Side)
    return Design(
        basis=Basis.RUNS if len(ordered) > 2 else alone,
        baseline=a,
        candidate=b,
        excluded=tuple(Excluded(name=run.name, reason="not valid") for run in runs if not run.valid),
        offset=mean_b - mean_a,
    )


def unlike(runs: Sequence[RunFigures]) -> tuple[str, ...]:
    """A sentence for each condition in which the runs differ; none when they are alike."""
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
    """The side that these runs are, or their names, not more of them than one reads."""
    for side in Side:
        if some == [run for run in runs if run.side is side]:
            return f"the {side}"
    names = [run.name for run in some[:_MOST_NAMES]]
    return ", ".join(names) + (f" and {len(some) - len(names)} more" if len(some) > len(names) else "")
