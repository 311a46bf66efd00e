"""The runs of a comparison as values, and which run stands against which.

Latencies drift: the machine warms up, neighbours come and go. Runs made in the order A B B A, and
held against each other pair by pair, cancel a steady drift; runs made all A, then all B, turn it
into a difference between the builds. So pairs follow the order in which the runs were made, and
what of the order's balance is missing is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wsload.judge.compare.bootstrap import Blocks
from wsload.measure.histogram import Histogram, merged

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "open": ("open",),
    "login": ("login",),
    "message": ("message", "message.lost"),
    "delivery": ("delivery",),
}
"""The metrics that are compared, and the histograms that make up each.

Lost messages count in ``message`` with the age they were given up at, which is the least their
response time can be: a build must not look faster for losing its slow answers.
"""
PERCENTILES: Final = (50, 95, 99)
"""The percentiles that are judged; p99.9 of a run of a minute is too uncertain to be (its 95 %
interval holds the truth in 50–90 % of cases at 1,000 messages a second)."""


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
    values: Mapping[str, int]
    """By statistic (``message.p99``), in ns; see `figures_of`."""
    valid: bool = True
    """Whether the run vouches for its figures."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What must be alike in all the runs, by name: ``users``, ``rate``, ``machine`` …"""
    blocks: Mapping[str, Blocks] = field(default_factory=dict)
    """By metric: the run second by second, from ``blocks_of(intervals, PARTS)``; needed only where
    there is one run a side."""


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


def compared(histograms: Mapping[str, Histogram], metric: str) -> Histogram:
    """One compared metric's values out of a run's whole histograms; empty when there are none."""
    return merged(histograms[part] for part in PARTS[metric] if part in histograms)


def figures_of(histograms: Mapping[str, Histogram]) -> dict[str, int]:
    """What `RunFigures.values` takes, in ns; a metric without samples is absent."""
    found: dict[str, int] = {}
    for metric in PARTS:
        histogram = compared(histograms, metric)
        if histogram.total:
            for percentile, value in zip(PERCENTILES, histogram.percentiles(PERCENTILES), strict=True):
                found[f"{metric}.p{percentile}"] = value
    return found


def pair_up(runs: Iterable[RunFigures]) -> Pairing:
    """The i-th baseline run against the i-th candidate run, both in the order they ran.

    Runs that are not valid take their place in the order, and only then drop out with their partner:
    leaving them out first would shift all later pairs against each other. Ties of start time keep
    the given order.
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


def closest(runs: Iterable[RunFigures]) -> tuple[RunFigures, RunFigures] | None:
    """The valid baseline and the valid candidate run that ran closest together; None without them."""
    ordered = sorted((run for run in runs if run.valid), key=lambda run: run.started_s)
    usable = [
        (abs(at - other), a, b)
        for at, a in enumerate(ordered)
        for other, b in enumerate(ordered)
        if a.side is Side.BASELINE and b.side is Side.CANDIDATE
    ]
    return min(usable, key=lambda each: each[0])[1:] if usable else None


def unlike(runs: Sequence[RunFigures]) -> tuple[str, ...]:
    """A sentence for each condition in which the runs differ, naming the runs; none when they are alike."""
    names = sorted({name for run in runs for name in run.conditions})
    found = []
    for name in names:
        by_value: dict[str, list[str]] = {}
        for run in runs:
            by_value.setdefault(run.conditions.get(name, "not known"), []).append(run.name)
        if len(by_value) > 1:
            groups = "; ".join(f"{value} in {', '.join(which)}" for value, which in by_value.items())
            found.append(f"the runs differ in {name}: {groups}")
    return tuple(found)
