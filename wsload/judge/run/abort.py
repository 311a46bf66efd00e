"""Conditions that end a run: a check with a duration, ``message.p99 > 1s for 10s``.

    condition = check "for" duration

The check is as in `wsload.judge.run.grammar`. The condition is met if the figures of that duration show it, and those
of both halves do too: one short stall is not enough. Lost requests rank above all answered ones, as in checks. Figures
without samples, or that can't be trusted, never end a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from wsload.errors import UsageError
from wsload.judge.run.checks import evaluate
from wsload.judge.run.grammar import Check, parse_check
from wsload.judge.run.trust import TOLERANCE_NS
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import Kind, split
from wsload.results.run import CheckOutcome, CheckState
from wsload.results.window import BORDER_S
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
    """Watches a run for one condition, an interval at a time."""

    def __init__(self, condition: Condition, tolerance_ns: float | None = TOLERANCE_NS) -> None:
        """``tolerance_ns`` as in `wsload.judge.run.checks.evaluate`."""
        self.condition = condition
        self._tolerance_ns = tolerance_ns
        self._name = split(condition.wanted.name)[0]
        self._names: dict[str, Kind] = {}
        self._began_s = math.inf
        """When the first interval began."""
        self._latest: list[Interval] = []
        """Those of the condition's time, up to now."""

    def add(self, interval: Interval) -> CheckOutcome | None:
        """Takes the next interval; returns the failed check if the condition is met.

        Usually it is a second's, but a second may come in parts, when a worker's share of it came late.
        """
        self._names |= interval.names
        kept = {key: found for key, found in interval.histograms.items() if split(key)[0] == self._name}
        self._latest.append(replace(interval, histograms=kept, names=self._names))
        self._began_s = min(self._began_s, interval.start_s)
        end_s = max(each.start_s + each.length_s for each in self._latest)
        from_s = end_s - self.condition.for_s
        if from_s < self._began_s - BORDER_S:
            return None
        self._latest = [each for each in self._latest if _middle_s(each) > from_s]
        whole = self._outcome(self._latest)
        if not self._met(whole):
            return None
        if self.condition.for_s >= _HALVED_S:
            middle_s = from_s + self.condition.for_s // 2
            first = [each for each in self._latest if _middle_s(each) <= middle_s]
            second = [each for each in self._latest if _middle_s(each) > middle_s]
            if not (self._met(self._outcome(first)) and self._met(self._outcome(second))):
                return None
        return whole

    def _outcome(self, intervals: Iterable[Interval]) -> CheckOutcome:
        return evaluate(self.condition.wanted, Totals.of(intervals), tolerance_ns=self._tolerance_ns)

    @staticmethod
    def _met(outcome: CheckOutcome) -> bool:
        return outcome.state is CheckState.FAILED and outcome.got != "no samples"


def _middle_s(interval: Interval) -> float:
    """The middle of an interval, by which it belongs to one of two times that share a border."""
    return interval.start_s + interval.length_s / 2


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
