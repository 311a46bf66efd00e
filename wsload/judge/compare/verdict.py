"""The gate: what counts as slower, faster, the same, or not known yet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wsload.errors import UsageError
from wsload.judge.compare.inference import Estimate, as_ratio
from wsload.judge.compare.pairs import PARTS, PERCENTILES
from wsload.judge.compare.power import MOST_PAIRS, RUN_DEVIATION, pairs_about
from wsload.words import change, counted, milliseconds, percent_up

JUDGEABLE: Final = tuple(f"{metric}.p{percentile}" for metric in PARTS for percentile in PERCENTILES)
"""Every statistic that a comparison can judge."""


class Verdict(StrEnum):
    """What a comparison says, of one statistic or of the whole."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"
    NO_VALID_RUNS = "no valid runs"
    """Of the whole only: a side has no run that vouches for its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The limits of the verdicts; the defaults are what was found to work."""

    ratio: float = 0.03
    """*Slower* needs the whole interval of the ratio above 1 + this (and *faster* below 1 / (1 + this))."""
    shift_ns: int = 100_000
    """*Slower* and *faster* need the median of the pairs' differences beyond this, in ns."""
    same_within: float = 0.10
    """*Same* needs the whole interval within ±this; ten pairs, the default, are made to find 10 %.
    An interval that lies within ±``shift_ns`` is *same* too: more of what does not matter."""
    alpha: float = 0.05
    """The chance of a wrong *slower* or *faster* among all the judged statistics; two-sided."""
    judged: tuple[str, ...] = JUDGEABLE
    """The statistics that are judged together, any of `JUDGEABLE`."""
    run_deviation: float = RUN_DEVIATION
    """How runs of one build scatter, where the runs can't tell: with one run a side."""
    drift: float = 0.01
    """How much latency may drift from one run to the next, where the order does not cancel it."""

    def __post_init__(self) -> None:
        for name, value in (
            ("ratio", self.ratio),
            ("shift", self.shift_ns),
            ("run-to-run deviation", self.run_deviation),
            ("drift", self.drift),
        ):
            if not 0 <= value < math.inf:
                raise UsageError(f"the gate's {name} is a number from 0, not {value}")
        if not self.judged or not set(self.judged) <= set(JUDGEABLE):
            raise UsageError(
                f"can't judge {', '.join(self.judged) or 'nothing'}: choose from {', '.join(JUDGEABLE)}"
            )
        if not 0 < self.same_within < math.inf:
            raise UsageError(f"'same within' takes a ratio above 0, not {self.same_within}")
        if not 0 < self.alpha < 1:
            raise UsageError(f"the chance of a false alarm lies between 0 and 1, not at {self.alpha}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One statistic of the candidate against the baseline's."""

    name: str
    """The statistic: ``message.p99``."""
    baseline_ns: float
    """The median over the baseline's runs."""
    candidate_ns: float
    """The median over the candidate's runs."""
    shift_ns: float
    """The median of the pairs' differences, candidate minus baseline."""
    ratio: float
    """Candidate over baseline: the geometric mean over the pairs; 1.1 is 10 % slower."""
    low: float
    """The lower end of the ratio's interval at confidence 1 - ``gate.alpha``, for this statistic alone
    and as measured: with nothing allowed for that was not."""
    high: float
    """The upper end."""
    level: float
    """What Holm's correction left of ``gate.alpha`` for this statistic."""
    judged_low: float
    """The lower end of the interval that the gate looks at: at confidence 1 - ``level``, and widened by
    what the order of the runs leaves open (see `Gate.drift`, `Gate.run_deviation`)."""
    judged_high: float
    """The upper end."""
    pairs: int
    """Pairs of runs that went in; 1 for one run a side."""
    deviation: float
    """The standard deviation of the pairs' log-ratios; with one run a side, an assumed one."""
    verdict: Verdict
    within: float
    """The ratio lies within ±this: 0.042 is *the same within 4.2 %*, where the verdict is *same*."""
    more_pairs: int | None
    """About how many more pairs would bring an answer in four cases of five, if the ratio stays what
    it is; None unless the verdict is *inconclusive*, and where no reasonable number would."""
    within_run_only: bool
    """One run a side: how runs of one build differ from each other was assumed, not measured."""

    @property
    def sentence(self) -> str:
        """The verdict in words, never without the warning that belongs to it."""
        by = change(self.ratio)
        match self.verdict:
            case Verdict.SLOWER | Verdict.FASTER:
                text = f"{self.verdict} by {milliseconds(abs(self.shift_ns))}, {by}"
                text += f" ({change(self.low)} to {change(self.high)})"
            case Verdict.SAME:
                reach_ns = self.within * self.baseline_ns
                text = f"same within {percent_up(self.within)}, {milliseconds(reach_ns)}"
            case _:
                text = f"inconclusive, {by}"
                text += f" (judged as {change(self.judged_low)} to {change(self.judged_high)})"
                if self.more_pairs is not None:
                    text += f"; about {counted(self.more_pairs, 'more pair')} of runs would tell"
        if self.within_run_only:
            text += " – one run a side: drift between runs is not covered, only allowed for"
        return text


def decide(
    estimate: Estimate, *, level: float, gate: Gate, baseline_ns: float, shift_ns: float
) -> tuple[Verdict, float]:
    """The verdict on one log-ratio, and the ±ratio within which it certainly lies.

    *Slower* and *faster* are judged at ``level`` (see `holm_levels`). *Same* is judged at the gate's
    own alpha: claiming sameness of everything takes each to be shown, which needs no correction
    (R. Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, 1982).
    """
    limit = math.log1p(gate.ratio)
    low, high = estimate.interval(level)
    if low > limit and shift_ns > gate.shift_ns:
        return Verdict.SLOWER, _within(estimate, gate)
    if high < -limit and shift_ns < -gate.shift_ns:
        return Verdict.FASTER, _within(estimate, gate)
    within = _within(estimate, gate)
    if within <= gate.same_within or within * baseline_ns <= gate.shift_ns:
        return Verdict.SAME, within
    return Verdict.INCONCLUSIVE, within


def _within(estimate: Estimate, gate: Gate) -> float:
    low, high = estimate.interval(gate.alpha)
    return max(abs(as_ratio(low) - 1), abs(as_ratio(high) - 1))


def more_pairs(
    estimate: Estimate,
    *,
    pairs: int,
    deviation: float,
    level: float,
    gate: Gate,
    baseline_ns: float,
    shift_ns: float,
) -> int | None:
    """About how many more pairs an inconclusive statistic needs, for an answer in 4 cases of 5.

    Whichever is nearer: beyond the gate, or within what counts as the same, the estimate standing.
    """
    size = abs(estimate.mean)
    same = math.log1p(max(gate.same_within, gate.shift_ns / baseline_ns)) - size - estimate.slack
    goals = [(same, gate.alpha)]
    if abs(shift_ns) > gate.shift_ns:
        goals.append((size - math.log1p(gate.ratio) - estimate.slack, level))
    needed = min(
        pairs_about(distance, power=0.8, deviation=deviation, alpha=alpha) for distance, alpha in goals
    )
    return max(math.ceil(needed) - pairs, 1) if needed <= MOST_PAIRS else None
