"""One run, on the hub of the process that owns the results: local, or the master."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from locust.runners import LocalRunner

from wsload.analysis.checks import evaluate
from wsload.analysis.live import LiveView
from wsload.analysis.summary import Summary, summarize
from wsload.analysis.validity import Watch, judge, process_figures, standouts
from wsload.engine.url import shown_url
from wsload.errors import ResultsError, UsageError
from wsload.measure.interval import Interval
from wsload.plugin.observers import JsonProgress
from wsload.plugin.options import Settings
from wsload.plugin.witness import Witness
from wsload.report.html import write_report
from wsload.report.terminal import show_run
from wsload.results.run import CheckOutcome, RunWarning
from wsload.results.writer import RunWriter

logger = logging.getLogger("wsload")


class Run:
    """Writes the results directory while the run goes on, and judges the run when it has ended."""

    def __init__(self, environment: Any, settings: Settings) -> None:
        """Raises `UsageError` where the results can't be written."""
        self._settings = settings
        self.allow_invalid = settings.allow_invalid
        self.warnings: list[RunWarning] = []
        """What was noticed on the way; the judgement adds its own."""
        self.checks: list[CheckOutcome] = []
        self.summary: Summary | None = None
        """The figures; None until the run has ended."""
        self._own = Watch("")
        self.processes: Callable[[], Iterable[Watch]] = lambda: [self._own]
        """The processes that carry the load: this one, unless a master sets it."""
        self._ui_in_process = environment.web_ui is not None and isinstance(environment.runner, LocalRunner)
        self.writer = RunWriter.create(
            settings.results,
            build=settings.build or "dev",
            target=_target(environment, settings),
            options=vars(environment.parsed_options),
            started_at=time.time(),
        )
        self._live = LiveView(self.writer.totals)
        self._shown: tuple[object, dict[str, Any]] = None, {}
        self._progress = JsonProgress(self) if settings.json_progress else None
        target = _target(environment, settings)
        self._witness = Witness(settings, target) if settings.probe else None

    def append(self, interval: Interval) -> None:
        """Takes the next interval."""
        if self._witness is not None:
            interval = self._witness.join(interval)
        self.writer.append(interval)
        second = self._live.add(interval)
        if self._progress is not None:
            self._progress.second(second)

    def live(self, since: int) -> dict[str, Any]:
        """The run by now, for the live page: see `LiveView.snapshot`."""
        state = self._live.taken, self.summary is not None
        if self._shown[0] != state:
            self._shown = state, self._now()
        return self._live.snapshot(since, self.processes()) | self._shown[1]

    def _now(self) -> dict[str, Any]:
        totals, info, ended = self.writer.totals, self.writer.info, self.summary is not None
        running = () if ended else judge(totals, list(self.processes()), ui_in_process=self._ui_in_process)
        checks = self.checks if ended else [evaluate(check, totals) for check in self._settings.checks]
        return {
            "run": {
                "name": self.writer.path.name,
                "build": info.build,
                "target": info.target,
                "started_at": info.started_at,
                "ended": ended,
            },
            "warnings": [asdict(warning) for warning in (self.warnings if ended else running)],
            "checks": [asdict(check) for check in checks],
        }

    def append_own(self, interval: Interval) -> None:
        """Takes the next interval of this very process."""
        self._own.add(interval)
        self.append(interval)

    @property
    def valid(self) -> bool:
        return not any(warning.invalidates for warning in self.warnings)

    def finish(self) -> None:
        """Writes what can only be known at the end. Never raises: the load's own ending comes first."""
        totals = self.writer.totals
        extra: dict[str, object] = {}
        if self._witness is not None:
            if (rest := self._witness.end()) is not None:
                self.writer.append(rest)
            found, extra["probe"] = self._witness.testimony(totals)
            self.warnings += found
        self.summary = summarize(totals)
        processes = list(self.processes())
        extra["processes"] = [process_figures(watch) for watch in processes]
        self.warnings += judge(totals, processes, ui_in_process=self._ui_in_process)
        self.warnings += standouts(processes)
        self.checks = [evaluate(check, totals) for check in self._settings.checks]
        if self._settings.insecure:
            self.warnings.append(
                RunWarning(
                    name="tls-not-verified",
                    text="certificates were not verified (--ws-insecure)",
                    remedy="trust the server's authority with --ws-ca-file",
                )
            )
        try:
            self.writer.finish(
                self.summary.to_json() | extra,
                ended_at=time.time(),
                valid=self.valid,
                warnings=self.warnings,
                checks=self.checks,
            )
            write_report(self.writer.path)
        except ResultsError as error:
            logger.error(error)
        if self._progress is not None:
            self._progress.end()

    def show(self) -> None:
        """Prints the run's figures and where they are."""
        if self.summary is not None:
            file = sys.stderr if self._settings.json_progress else None
            show_run(self.writer.info, self.summary, self.writer.path, file=file)


def _target(environment: Any, settings: Settings) -> str:
    """What is loaded, as far as one URL says it: the first user class's."""
    for user_class in environment.user_classes:
        try:
            return settings.target(getattr(user_class, "url", "/"), environment.host or user_class.host)
        except UsageError:
            continue
    return shown_url(environment.host or "")
