"""Conditions that end a run: a check with a duration, ``message.p99 > 1s for 10s``.

    condition = check "for" duration

The check is as in `wsload.judge.run.grammar`. The condition is met if the figures of that duration show it, and those
of both halves do too: one short stall is not enough. Lost requests rank above all answered ones, as in checks. Figures
without samples, or that can't be trusted, never end a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from wsload.errors import UsageError
from wsload.judge.run.checks import evaluate
from wsload.judge.run.grammar import Check, parse_check
from wsload.judge.run.shares import sizes_of
from wsload.judge.run.sliding import RunningSum
from wsload.judge.run.trust import BEATS, TOLERANCE_NS
from wsload.measure.earlier import Earlier
from wsload.measure.interval import BORDER_S, Interval
from wsload.measure.names import FAILED, LATENESS, LOST, split
from wsload.results.run import CheckOutcome, CheckState
from wsload.words import clock, duration_ns, span

_OPPOSITES: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_ABORT_ON: Final = "--ws-abort-on "
_LONGEST_S: Final = 3_600
_HALVED_S: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When to end a run."""

    text: str
    """As it was written, with single spaces."""
    wanted: Check
    """The opposite, which holds as long as the run may continue."""
    for_s: int


def parse_condition(text: str) -> Condition:
    """Parses a condition. Raises `UsageError`, which says what is allowed."""
    words = " ".join(text.split())
    before, found, after = words.rpartition(" for ")
    try:
        seconds = duration_ns(after) / 1e9
    except ValueError:
        seconds = 0.0
    if not found or not 1 <= seconds <= _LONGEST_S or seconds != int(seconds):
        raise UsageError(
            f"'{words}': must be a check and a time in whole seconds, such as 'message.p99 > 1s for 10s'"
        )
    check = parse_check(before)
    opposite = _OPPOSITES[check.operator]
    # A name may hold an operator only in quotes: the last one is the comparison.
    start, _, end = check.expression.rpartition(check.operator)
    expression = f"{start.rstrip()} {opposite} {end.lstrip()}"
    return Condition(
        text=words, wanted=replace(check, operator=opposite, expression=expression), for_s=int(seconds)
    )


class AbortMonitor:
    """Watches a run for one condition, an interval at a time; the cost is the same however long its time is."""

    def __init__(self, condition: Condition, tolerance_ns: float | None = TOLERANCE_NS) -> None:
        """``tolerance_ns`` as in `wsload.judge.run.checks.evaluate`."""
        self.condition = condition
        self._tolerance_ns = tolerance_ns
        name, (own, part) = condition.wanted.name, split(condition.wanted.name)
        self._metrics = {name, *(name + suffix for suffix in LATENESS), own, own + LOST, own + FAILED}
        """Those that the check reads."""
        if condition.wanted.statistic not in ("", "count", "rate"):
            self._metrics.add(BEATS)  # by which times are judged that a user class recorded itself
        self._of_all = condition.wanted.unit == "%" and not part
        """Whether it is a share of all requests, or of everything tried."""
        self._earlier = Earlier()
        self._began_s = math.inf
        """When the first interval began."""
        self._end_s = -math.inf
        """When the latest ended."""
        self._whole, self._first, self._second = RunningSum(), RunningSum(), RunningSum()
        """The condition's time up to now, and its halves."""

    def add(self, interval: Interval) -> CheckOutcome | None:
        """Takes the next interval; returns the failed check if the condition is met.

        Usually it is a second's, but a second may come in parts, when a worker's share of it came late.
        """
        self._earlier.add(interval)
        self._began_s = min(self._began_s, interval.start_s)
        self._end_s = max(self._end_s, interval.start_s + interval.length_s)
        from_s = self._end_s - self.condition.for_s
        kept = self._kept(interval)
        self._whole.add(kept)
        self._whole.take(from_s)
        self._second.add(kept)
        for each in self._second.take(from_s + self.condition.for_s // 2):
            self._first.add(each)
        self._first.take(from_s)
        if from_s < self._began_s - BORDER_S:
            return None
        outcome = self._outcome(self._whole)
        halves = (self._first, self._second) if self.condition.for_s >= _HALVED_S else ()
        met = self._met(outcome) and all(self._met(self._outcome(half)) for half in halves)
        return outcome if met else None

    def _kept(self, interval: Interval) -> Interval:
        """What the condition needs of an interval, small enough to be kept for an hour."""
        found = interval.histograms
        histograms = sizes_of(found) if self._of_all else {}
        histograms |= {metric: found[metric].slim() for metric in self._metrics & found.keys()}
        return Interval(
            start_s=interval.start_s,
            length_s=interval.length_s,
            histograms=histograms,
            counters=interval.counters,
            failures=interval.failures,
        )

    def _outcome(self, summed: RunningSum) -> CheckOutcome:
        return evaluate(self.condition.wanted, summed.totals(self._earlier), tolerance_ns=self._tolerance_ns)

    @staticmethod
    def _met(outcome: CheckOutcome) -> bool:
        return outcome.state is CheckState.FAILED and outcome.got != "no samples"


def is_abort(outcome: CheckOutcome) -> bool:
    """Whether `aborted` made it."""
    return _ABORT_ON in outcome.reason


def aborted(outcome: CheckOutcome, condition: Condition, at_s: float) -> CheckOutcome:
    """The failed check of a run that was ended ``at_s`` seconds after its start."""
    return replace(
        outcome,
        reason=f"over {span(condition.for_s)}, so the run was ended at {clock(at_s)} "
        f"({_ABORT_ON}'{condition.text}')",
    )
