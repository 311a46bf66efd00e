"""Selects the statistics that a comparison judges, and says why one can't be judged.

By default these are p50 and p99 of opening, of logging in, and of every request and step in the runs. Lost and
failed attempts are always judged, so that no selection of statistics makes a build that drops messages look good.
Where runs have requests or steps, a time of one must be judged: how fast connections open tells nothing about them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wsload.judge.compare.outcomes import Outcomes
from wsload.judge.compare.pairs import RunFigures, Side

PERCENTILES: Final = (50.0, 99.0)
"""The default percentiles. p99.9 of a one-minute run is too uncertain (at 1,000 messages a second its 95 %
interval covers the truth in 50–90 % of cases)."""
MIN_BEYOND: Final = 10
"""A percentile is judged only if each run has this many attempts beyond it. With fewer it depends on a few
messages, and its scatter can't be estimated from ten runs."""
ALWAYS: Final = ("open", "login")
"""Judged in addition to requests and steps."""

PERCENTILE: Final = re.compile(r"(?P<metric>.+)\.p(?P<percentile>\d{1,2}(?:\.\d{1,6})?)")
"""A statistic's name."""
SHARE: Final = re.compile(r"(?P<metric>.+)\.(lost|failed)")
"""The name of a share."""


def parts_of(statistic: str) -> tuple[str, str]:
    """A statistic's metric and what of it: ``message`` and ``p99.9``, or ``lost``."""
    found = PERCENTILE.fullmatch(statistic) or SHARE.fullmatch(statistic)
    assert found is not None, statistic
    return found["metric"], statistic[len(found["metric"]) + 1 :]


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
        """How many attempts a run needs to have `MIN_BEYOND` beyond the percentile."""
        return math.ceil(round(100 * MIN_BEYOND / (100 - self.percentile), 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A statistic that could not be judged, and why."""

    name: str
    reason: str
    """Shown after a colon; without names of runs, so that statistics can share it."""
    blocks: bool = True
    """Whether the comparison is inconclusive without it: it was asked for, only one build has it, or no time of any
    request or step could be judged."""
    baseline: float | None = None
    """The geometric mean over the runs, in ns, if there is one to show; see ``more``."""
    candidate: float | None = None
    more: tuple[bool, bool] = (False, False)
    """Whether the true values are higher, because the percentile of some run lies among the lost or failed."""


def metrics_of(runs: Iterable[RunFigures]) -> tuple[str, ...]:
    """The metrics judged by default, of those in any run: requests and steps, then `ALWAYS`."""
    runs = list(runs)
    known = dict.fromkeys(name for run in runs for name in run.outcomes)
    named = frozenset().union(*(run.requests for run in runs))
    return (
        *(name for name in known if name in named and name not in ALWAYS),
        *(name for name in ALWAYS if name in known),
    )


def quantiles(runs: Sequence[RunFigures], asked: Sequence[str]) -> tuple[list[Quantile], list[Unjudged]]:
    """The percentiles to judge (``asked``, or the defaults), and those asked for that no run has."""
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
        elif not ((share := SHARE.fullmatch(text)) and share["metric"] in known):
            unknown.append(Unjudged(name=text, reason="no run has it"))
    return list(found), unknown


def why_unjudged(quantile: Quantile, runs: Sequence[RunFigures], *, asked: bool) -> Unjudged | None:
    """Why this percentile can't be judged with these runs of both sides; None if it can.

    `trusted` tells for each run whether the percentile is trusted.
    """
    found = [(run, run.outcomes.get(quantile.metric)) for run in runs]
    there = [(run, each) for run, each in found if each is not None and each.attempts]
    name = quantile.name
    if not all(_enough(each, quantile) for _, each in there) or not there:
        few = f"fewer than {quantile.fewest:,} values"
        reason = f"a run has {few}, so fewer than {MIN_BEYOND} beyond it"
        only = only_baseline(
            quantile.metric, runs, lambda run: _enough(run.outcomes.get(quantile.metric), quantile)
        )
        if only:
            reason = f"the candidate’s runs have {few}, unlike the baseline’s"
        return Unjudged(name=name, reason=reason, blocks=asked or only)
    if len(there) < len(found):
        sides = {run.side for run in runs} - {run.side for run, _ in there}
        where = f"the {sides.pop()}’s runs" if sides else "some of the runs"
        return Unjudged(name=name, reason=f"no values in {where}")
    if any(math.isinf(each.percentile(quantile.percentile)) for _, each in there):
        return _among_the_lost(quantile, runs)
    return None


def subjects(runs: Iterable[RunFigures]) -> frozenset[str]:
    """The metrics that a verdict can't do without: requests and steps; where runs have none, all that are judged."""
    known = frozenset(metrics_of(runs))
    return known.difference(ALWAYS) or known


def needed(
    unjudged: Sequence[Unjudged], times: Sequence[Quantile], runs: Sequence[RunFigures]
) -> list[Unjudged]:
    """What could not be judged, blocking where it is of the `subjects` and none of their ``times`` could be judged."""
    wanted = subjects(runs)
    if any(each.metric in wanted for each in times):
        return list(unjudged)
    return [replace(each, blocks=each.blocks or parts_of(each.name)[0] in wanted) for each in unjudged]


def only_baseline(metric: str, runs: Sequence[RunFigures], has: Callable[[RunFigures], bool]) -> bool:
    """Whether all of the baseline's runs have something of a subject that at least half of the candidate's lack.

    Between builds that are alike that is hardly ever chance: a slow build answers less in the same time.
    """
    a, b = ([has(run) for run in runs if run.side is side] for side in Side)
    return metric in subjects(runs) and all(a) and 2 * sum(b) <= len(b)


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


def _enough(outcomes: Outcomes | None, quantile: Quantile) -> bool:
    return outcomes is not None and outcomes.beyond(quantile.percentile) >= MIN_BEYOND


def trusted(run: RunFigures, quantile: Quantile) -> bool:
    """Whether this percentile of the run is trusted."""
    return quantile.percentile <= run.trusted.get(quantile.metric, 100.0)


def shares(runs: Sequence[RunFigures], asked: Sequence[str] = ()) -> list[str]:
    """The shares to judge (``message.lost``, ``open.failed`` …): those asked for, and those not 0 in some run."""
    known = {name for run in runs for name in run.outcomes}
    parts = {text: SHARE.fullmatch(text) for text in asked if text not in known}
    found = dict.fromkeys(text for text, part in parts.items() if part and part["metric"] in known)
    for run in runs:
        for name, each in run.outcomes.items():
            if each.lost:
                found[f"{name}.lost"] = None
            if each.failed:
                found[f"{name}.failed"] = None
    return list(found)


def counted(run: RunFigures, share: str, runs: Sequence[RunFigures]) -> tuple[int, int]:
    """The numerator and denominator of a share in a run; the denominator is the attempts under the same name.

    If a name only ever fails, such as errors in a task, it is the attempts of the whole run.
    """
    metric, part = parts_of(share)
    mine = run.outcomes.get(metric)
    hits = 0 if mine is None else mine.lost if part == "lost" else mine.failed
    timed = any(each.answered or each.lost for other in runs if (each := other.outcomes.get(metric)))
    if timed:
        return hits, mine.attempts if mine is not None else 0
    return hits, max(sum(run.outcomes[name].attempts for name in metrics_of([run])), hits)
