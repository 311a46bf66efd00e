"""Judges a stored run again: over another window, or because it was never judged."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from wsload.errors import ResultsError, UsageError
from wsload.judge.run.abort import is_abort
from wsload.judge.run.checks import evaluate
from wsload.judge.run.doubts import DERIVED
from wsload.judge.run.grammar import parse_check
from wsload.judge.run.processes import ProcessFigures
from wsload.judge.run.trust import TOLERANCE_NS
from wsload.judge.run.verdict import Judgement, judge
from wsload.measure.interval import Interval, Totals
from wsload.results.reader import StoredRun
from wsload.results.run import CheckOutcome, CheckState, RunInfo


class StoredFigures(ProcessFigures):
    """Adds up the intervals in a window of a stored run, and takes note of those before it."""

    def __init__(self, *, together: bool) -> None:
        super().__init__("", together=together)
        self._load = Totals()
        """From the run's start to the window's end, without times."""

    def add(self, interval: Interval, answered: int | None = None) -> None:
        super().add(interval, answered)
        self.before(interval)

    def before(self, interval: Interval) -> None:
        """Takes note of an interval before the window: it is not measured, but may concern the load as a whole."""
        self._load.add(replace(interval, histograms={}))

    @property
    def load(self) -> Totals:
        return self._load


def process_figures_of(run: StoredRun) -> StoredFigures:
    """Adds up a stored run's intervals, which are those of all its processes together."""
    processes: object = None
    with suppress(ResultsError):
        processes = (run.summary() or {}).get("processes")
    return StoredFigures(together=isinstance(processes, list) and len(processes) > 1)


def rejudge(info: RunInfo, watch: ProcessFigures) -> Judgement:
    """The verdict on the window of a stored run, whose figures are in ``watch``; its other warnings are kept."""
    tolerance_ns = info.trust.tolerance_ns if info.trust is not None else TOLERANCE_NS
    noticed = [warning for warning in info.warnings if warning.name not in DERIVED]
    part = not info.window.whole
    return judge(watch.totals, [watch], tolerance_ns=tolerance_ns, beside=noticed, part=part, load=watch.load)


def rejudged(info: RunInfo, watch: ProcessFigures) -> RunInfo:
    """The run with the trust, warnings and checks of the part of it in ``watch``."""
    found = rejudge(info, watch)
    tolerance_ns = None if info.options.get("ws_allow_invalid") else found.trust.tolerance_ns
    checks = tuple(rechecked(check, info, watch.totals, tolerance_ns) for check in info.checks)
    return replace(info, trust=found.trust, warnings=found.warnings, checks=checks)


def rechecked(
    before: CheckOutcome, info: RunInfo, totals: Totals, tolerance_ns: float | None
) -> CheckOutcome:
    """A run's own check on these figures of it; one that ended the run stays as it is."""
    if is_abort(before):  # it covers the seconds before the run was ended, whatever the window
        return before
    try:
        check = parse_check(before.expression, info.labels)
    except UsageError as error:
        return replace(before, state=CheckState.UNJUDGED, got="–", reason=f"the check can't be read: {error}")
    return evaluate(check, totals, info.labels, tolerance_ns)
