"""Which statistics a comparison judges, and why one that it should judge can't be.

Names are data: by default p50 and p99 of opening, of logging in and of every request and step that the
runs have are judged. What is lost and what fails is judged always, of everything that was attempted, so
that no choice of statistics makes a build that drops messages look good.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wsload.judge.compare.outcomes import Outcomes
from wsload.judge.compare.pairs import RunFigures, Side

PERCENTILES: Final = (50.0, 99.0)
"""Judged unless others are asked for; p99.9 of a run of a minute is too uncertain to be (its 95 % interval
holds the truth in 50–90 % of cases at 1,000 messages a second)."""
FEWEST_BEYOND: Final = 10
"""A percentile is judged only where each run has so many attempts beyond it. Fewer make it the story of a
few messages, which scatters as no interval from ten runs can tell."""
ALWAYS: Final = ("open", "login")
"""Judged beside the requests and steps."""

PERCENTILE: Final = re.compile(r"(?P<metric>.+)\.p(?P<percentile>\d{1,2}(?:\.\d{1,6})?)")
"""A statistic's name."""
_SHARE: Final = re.compile(r"(?P<metric>.+)\.(lost|failed)")


@dataclass(frozen=True, slots=True)
class Quantile:
    """A percentile of one metric's times: ``message.p99``."""

    metric: str
    percentile: float

    @property
    def name(self) -> str:
        return f"{self.metric}.p{self.percentile:.10g}"

    @property
    def fewest(self) -> int:
        """The fewest attempts of a run that have enough of them beyond."""
        return math.ceil(round(100 * FEWEST_BEYOND / (100 - self.percentile), 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A statistic that could not be judged, and why."""

    name: str
    reason: str
    """Why, after a colon; without the names of runs, so that statistics share it."""
    blocks: bool = True
    """Whether the comparison can't end well without it: it was asked for, or only one build has it."""
    baseline: float | None = None
    """The geometric mean over the runs, in ns, where there is something to show; see ``more``."""
    candidate: float | None = None
    more: tuple[bool, bool] = (False, False)
    """Whether the truth is more than these: in some run the percentile lies among the lost or failed."""


def metrics_of(runs: Iterable[RunFigures]) -> tuple[str, ...]:
    """The metrics judged by default, of those that any run has: requests and steps, then `ALWAYS`."""
    runs = list(runs)
    known = dict.fromkeys(name for run in runs for name in run.outcomes)
    named = frozenset().union(*(run.requests for run in runs))
    return (
        *(name for name in known if name in named and name not in ALWAYS),
        *(name for name in ALWAYS if name in known),
    )


def quantiles(runs: Sequence[RunFigures], asked: Sequence[str]) -> tuple[list[Quantile], list[Unjudged]]:
    """What is to be judged: what was asked for, or the defaults; and what was asked for but no run has."""
    if not asked:
        return [Quantile(metric, each) for metric in metrics_of(runs) for each in PERCENTILES], []
    known = {name for run in runs for name in run.outcomes}
    found: dict[Quantile, None] = {}
    unknown = []
    for text in asked:
        part = PERCENTILE.fullmatch(text)
        if text in known:
            found |= dict.fromkeys(Quantile(text, each) for each in PERCENTILES)
        elif part and part["metric"] in known and float(part["percentile"]):
            found[Quantile(part["metric"], float(part["percentile"]))] = None
        elif not ((share := _SHARE.fullmatch(text)) and share["metric"] in known):
            unknown.append(Unjudged(name=text, reason="no run has it"))
    return list(found), unknown


def hindrance(quantile: Quantile, runs: Sequence[RunFigures], *, asked: bool) -> Unjudged | None:
    """Why this percentile can't be judged by these runs of both sides; None when it can.

    Whether it is to be trusted is asked run by run, see `trusted`.
    """
    found = [(run, run.outcomes.get(quantile.metric)) for run in runs]
    there = [(run, each) for run, each in found if each is not None and each.attempts]
    name = quantile.name
    if not all(_enough(each, quantile) for _, each in there) or not there:
        reason = f"fewer than {quantile.fewest:,} values in a run, so fewer than {FEWEST_BEYOND} beyond it"
        return Unjudged(name=name, reason=reason, blocks=asked)
    if len(there) < len(found):
        sides = {run.side for run in runs} - {run.side for run, _ in there}
        where = f"the {sides.pop()}’s runs" if sides else "some of the runs"
        return Unjudged(name=name, reason=f"no values in {where}")
    if any(math.isinf(each.percentile(quantile.percentile)) for _, each in there):
        return _among_the_lost(quantile, runs)
    return None


def _among_the_lost(quantile: Quantile, runs: Sequence[RunFigures]) -> Unjudged:
    shown: list[float] = []
    more = []
    for side in Side:
        found = [run.outcomes[quantile.metric] for run in runs if run.side is side]
        values = [each.percentile(quantile.percentile) for each in found]
        more.append(any(map(math.isinf, values)))
        bounds = [min(value, max(each.slowest_ns, 1)) for value, each in zip(values, found, strict=True)]
        shown.append(math.exp(math.fsum(map(math.log, bounds)) / len(bounds)))
    return Unjudged(
        name=quantile.name,
        reason="lies among the lost or failed, which rank above every answer",
        baseline=shown[0],
        candidate=shown[1],
        more=(more[0], more[1]),
    )


def _enough(outcomes: Outcomes, quantile: Quantile) -> bool:
    return outcomes.beyond(quantile.percentile) >= FEWEST_BEYOND


def trusted(run: RunFigures, quantile: Quantile) -> bool:
    """Whether the load generator vouches for this percentile of the run."""
    return quantile.percentile <= run.trusted.get(quantile.metric, 100.0)


def shares(runs: Sequence[RunFigures]) -> list[str]:
    """The shares to judge, ``message.lost`` or ``open.failed``: of what was lost or failed in any run."""
    found: dict[str, None] = {}
    for run in runs:
        for name, each in run.outcomes.items():
            if each.lost:
                found[f"{name}.lost"] = None
            if each.failed:
                found[f"{name}.failed"] = None
    return list(found)


def counted(run: RunFigures, share: str, runs: Sequence[RunFigures]) -> tuple[int, int]:
    """How many attempts of a run are in a share, and of how many: those of its own name.

    What only ever fails, as an error in a task does, is a share of everything attempted.
    """
    metric, _, part = share.rpartition(".")
    mine = run.outcomes.get(metric)
    hits = 0 if mine is None else mine.lost if part == "lost" else mine.failed
    timed = any(each.answered or each.lost for other in runs if (each := other.outcomes.get(metric)))
    if timed:
        return hits, mine.attempts if mine is not None else 0
    return hits, max(sum(run.outcomes[name].attempts for name in metrics_of([run])), hits)
