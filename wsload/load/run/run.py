"""A run, on the hub of the process that owns the results: the local process, or the master."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from locust.runners import LocalRunner

from wsload.errors import NotWritten, ResultsError, UsageError
from wsload.exit_codes import ExitCode
from wsload.judge.figures.summary import Summary, summarize
from wsload.judge.run.abort import AbortMonitor, aborted
from wsload.judge.run.checks import evaluate
from wsload.judge.run.live import LiveView, Point
from wsload.judge.run.processes import ProcessFigures
from wsload.judge.run.standing import cut_short
from wsload.judge.run.verdict import Judgement, judge
from wsload.load.options.settings import Settings
from wsload.load.run.measured import Measured
from wsload.load.run.steady import SteadyClock
from wsload.load.run.workload import workload
from wsload.load.users.websocket import WebSocketUser
from wsload.measure.interval import Interval, Totals
from wsload.redact import redact_url
from wsload.report.html import write_report
from wsload.report.terminal import show_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.trust import Standing, Trust
from wsload.results.writer import RunWriter

logger = logging.getLogger("wsload")

ARRIVAL_S: Final = 1.0
"""The last user arrives within this time after Locust has started it."""


class RunListener(Protocol):
    """Follows a run."""

    def second(self, found: Point) -> None:
        """Receives the next second's figures, but none of a worker's that come too late for their second."""

    def end(self) -> None:
        """The run has ended, and was judged and stored."""


class Probe(Protocol):
    """A separate process that measures independently of the users (``--ws-probe``)."""

    def join(self, interval: Interval) -> Interval:
        """Adds the probe's measurements since the previous call to the interval."""

    def end(self) -> Interval | None:
        """Stops the probe; returns an interval with its last measurements, if any."""

    def report(self, totals: Totals) -> tuple[list[RunWarning], dict[str, Any]]:
        """After the end: warnings about the users' figures, and the probe's own counts."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The outcome of a run."""

    summary: Summary
    judgement: Judgement
    checks: list[CheckOutcome]
    stored: bool
    """Whether the results directory is complete."""


class Run:
    """Writes the results directory during the run, and judges the run at its end."""

    def __init__(self, environment: Any, settings: Settings) -> None:
        """Raises `UsageError` if the results can't be written."""
        self._settings = settings
        self.allow_invalid = settings.allow_invalid
        self.json_progress = settings.json_progress
        self._json_on_stdout = settings.json_progress or getattr(environment.parsed_options, "json", False)
        self.warnings: list[RunWarning] = []
        """Warnings raised during the run; `judgement` adds those that follow from the figures."""
        self.ended: Ended | None = None
        # A probe's figures are the run's, but not this process's.
        self._own = ProcessFigures("") if settings.probe else ProcessFigures("", lambda: self.measured.totals)
        self.processes: Callable[[], Iterable[ProcessFigures]] = lambda: [self._own]
        """The processes that make the load: this one, unless a master replaces it."""
        self._ui_in_process = environment.web_ui is not None and isinstance(environment.runner, LocalRunner)
        self.clock = SteadyClock()
        self.writer = RunWriter.create(
            settings.results,
            build=settings.build or "dev",
            target=target(environment, settings),
            options=vars(environment.parsed_options or Namespace()),
            started_at=self.clock.now(),
            workload=workload(environment.user_classes, settings),
        )
        started_at, ramp = self.writer.info.started_at, settings.warm_up_ramp
        self.measured = Measured(started_at, settings.warm_up_s, self.writer.totals, ramp=ramp)
        """The figures of the window so far."""
        self._live = LiveView(lambda: self.measured.totals, charted=environment.web_ui is not None)
        self._shown: tuple[object, dict[str, Any]] = None, {}
        self._sentries = [AbortMonitor(each, self._tolerance_ns) for each in settings.abort_on]
        self._aborted: CheckOutcome | None = None
        self.on_abort: Callable[[str], object] = lambda _: None
        """Called with the reason when a condition of ``--ws-abort-on`` ends the run."""
        self.listeners: list[RunListener] = []
        try:
            self._probe = _start_probe(environment, settings) if settings.probe else None
        except UsageError:
            self.writer.discard()
            raise

    def append(self, interval: Interval) -> None:
        """Takes the next interval."""
        if self._probe is not None:
            interval = self._probe.join(interval)
        written = self._write(interval)
        second = self._live.add(written)
        self._watch(written)
        if second is not None:
            for listener in self.listeners:
                listener.second(second)

    def _watch(self, interval: Interval) -> None:
        for sentry in self._sentries if self._aborted is None else ():
            if (found := sentry.add(interval)) is not None:
                at_s = interval.start_s + interval.length_s - self.writer.info.started_at
                self._aborted = aborted(found, sentry.condition, at_s)
                self.on_abort(f"{sentry.condition.text} (got {found.got})")
                return

    def _write(self, interval: Interval) -> Interval:
        well = self.writer.problem is None
        written = self.writer.append(interval)
        if well and self.writer.problem is not None:
            logger.error("The results are incomplete: %s", self.writer.problem)
        if self.measured.add(written):
            for watch in self.processes():
                watch.reset()
        return written

    def reset(self, at: float) -> None:
        """Starts the measured window at this time (seconds since the epoch)."""
        self.measured.reset(at)

    def ramped_up(self, at: float) -> None:
        """Locust has started all users, as it does again whenever their number changes."""
        self.measured.ramped_up(at + ARRIVAL_S)

    def live(self, since: int, name: str = "") -> dict[str, Any]:
        """The run so far, for the live page; see `LiveView.snapshot`."""
        state = self._live.taken, self.ended is not None
        if self._shown[0] != state:
            self._shown = state, self._now()
        return self._live.snapshot(since, self.processes(), name) | self._shown[1]

    def _now(self) -> dict[str, Any]:
        info, found, checks = self.writer.info, self.judgement, self.checks
        return {
            "run": {
                "name": self.writer.path.name,
                "build": info.build,
                "target": info.target,
                "started_at": info.started_at,
                "ended": self.ended is not None,
            },
            "trust": {**found.trust.to_json(), "tone": found.trust.standing.tone},
            "warnings": [asdict(warning) for warning in (*found.warnings, *self.writer.warnings())],
            "checks": [check.to_json() for check in checks],
        }

    def append_own(self, interval: Interval) -> None:
        """Takes the next interval of this process."""
        self.append(interval)
        self._own.add(interval)  # after that, since the first in the measured window resets it

    def _judge(self) -> Judgement:
        return judge(
            self.measured.totals,
            self.processes(),
            tolerance_ns=self._settings.tolerance_ns,
            ui_in_process=self._ui_in_process,
            beside=self.warnings,
            part=self.measured.part,
            load=self.writer.totals,
        )

    @property
    def judgement(self) -> Judgement:
        """The verdict on the figures, so far or at the end."""
        return self._judge() if self.ended is None else self.ended.judgement

    @property
    def checks(self) -> list[CheckOutcome]:
        """The outcomes of the checks, so far or at the end."""
        return self._evaluate() if self.ended is None else self.ended.checks

    @property
    def _tolerance_ns(self) -> int | None:
        """The tolerance of the checks; None if they also judge figures that can't be trusted."""
        return None if self.allow_invalid else self._settings.tolerance_ns

    def _evaluate(self) -> list[CheckOutcome]:
        found = [
            evaluate(check, self.measured.totals, tolerance_ns=self._tolerance_ns)
            for check in self._settings.checks
        ]
        return found if self._aborted is None else [self._aborted, *found]

    @property
    def trust(self) -> Trust:
        """How far the figures can be trusted, so far or at the end."""
        return self.judgement.trust

    def finish(self) -> None:
        """Judges the run, and completes its results. Never raises, so that the run can end in order."""
        extra: dict[str, object] = {}
        if self._probe is not None:
            if (rest := self._probe.end()) is not None:
                self._write(rest)
            found, extra["probe"] = self._probe.report(self.measured.totals)
            self.warnings += found
        if (unmeasured := self.measured.finish()) is not None:
            self.warnings.append(unmeasured)
        summary = summarize(self.measured.totals)
        extra["processes"] = [watch.figures(self._settings.tolerance_ns) for watch in self.processes()]
        checks = self._evaluate()
        if self._settings.insecure:
            self.warnings.append(
                RunWarning(
                    name="tls-not-verified",
                    text="certificates were not verified (--ws-insecure)",
                    remedy="trust the server's certificate authority with --ws-ca-file",
                )
            )
        judgement, stored = self._judge(), True
        try:
            self.writer.finish(
                summary.to_json() | extra,
                ended_at=time.time(),
                trust=judgement.trust,
                window=self.measured.window,
                warnings=judgement.warnings,
                checks=checks,
            )
            write_report(self.writer.path)
        except (NotWritten, ResultsError) as error:
            logger.error(error)
            stored = False
        self.ended = Ended(summary, judgement, checks, stored)
        for listener in self.listeners:
            listener.end()

    def exit_code(self) -> ExitCode | None:
        """The exit code of a process that ends with this run; None if the run was successful."""
        if self.ended is None or not self.ended.stored or self.writer.problem is not None:
            return ExitCode.BROKEN
        if self._aborted is not None:
            return ExitCode.FAILED
        standing, states = self.trust.standing, {check.state for check in self.checks}
        if standing in (Standing.NOTHING, Standing.FAILED):
            return ExitCode.NOTHING_MEASURED
        untrusted = standing is Standing.UNTRUSTED and not self.allow_invalid
        if untrusted or cut_short(self.judgement.warnings):
            return ExitCode.UNTRUSTED
        if CheckState.FAILED in states:
            return ExitCode.FAILED
        return ExitCode.UNTRUSTED if CheckState.UNJUDGED in states else None

    def show(self) -> None:
        """Prints the run's figures, and where they are stored."""
        if self.ended is not None:
            file = sys.stderr if self._json_on_stdout else None
            show_run(self.writer.info, self.ended.summary, self.writer.path, file=file)


def target(environment: Any, settings: Settings) -> str:
    """The URL under load: that of the first WebSocket user class, or else the host."""
    for user_class in environment.user_classes:
        if issubclass(user_class, WebSocketUser):
            with contextlib.suppress(UsageError):
                return settings.target(user_class.url, environment.host or user_class.host)
    return redact_url(environment.host or "")


def _start_probe(environment: Any, settings: Settings) -> Probe:
    """The probe that a user class brings; raises `UsageError` if none does."""
    for user_class in environment.user_classes:
        start = getattr(user_class, "start_probe", None)
        if start is not None:
            probe: Probe = start(settings, target(environment, settings))
            return probe
    raise UsageError("argument --ws-probe: no user class provides a probe; ChatUser does")
