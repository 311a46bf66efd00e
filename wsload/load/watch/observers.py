"""Watching a run from outside: Prometheus, OpenTelemetry, and JSON lines on standard output.

All of it lives in the process that owns the run, on its hub, and is made of what is recorded anyway.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TextIO

from locust.runners import WorkerRunner

from wsload.judge.run.live import Point
from wsload.load.options.settings import Settings
from wsload.load.watch.opentelemetry import observe_with_opentelemetry
from wsload.load.watch.prometheus import serve_prometheus

if TYPE_CHECKING:
    from wsload.load.run.run import Run

logger = logging.getLogger("wsload")

SCHEMA: Final = 1
"""Of the JSON lines. A change that a reader would have to know of raises it."""
_FIELDS: Final = {
    "users": "users",
    "connections": "connections",
    "in_flight": "in_flight",
    "sent_per_s": "sent",
    "echoes_per_s": "echoes",
    "deliveries_per_s": "deliveries",
    "message_p50_ms": "p50",
    "message_p99_ms": "p99",
    "message_p99_9_ms": "p99_9",
    "lost": "lost",
    "failures": "failures",
}


def watch_from_outside(environment: Any, settings: Settings, run_now: Callable[[], Run | None]) -> None:
    """Starts what the options ask for, once, before any run. Raises `UsageError` where that can't be."""
    if isinstance(environment.runner, WorkerRunner):
        return
    if settings.prometheus is not None:
        logger.info("Prometheus metrics at %s", serve_prometheus(settings.prometheus, run_now))
    if getattr(environment.parsed_options, "otel", False):
        observe_with_opentelemetry(run_now)


class JsonProgress:
    """``--ws-json-progress``: one JSON object a line, for the logs of CI jobs.

    Each has ``schema`` (1), ``event``, ``run`` (its directory's name) and ``at`` (seconds since the
    epoch). Once a second, ``"event": "second"`` tells of that second: ``users``, ``connections``,
    ``in_flight`` (levels at its end), ``sent_per_s``, ``echoes_per_s``, ``deliveries_per_s``,
    ``message_p50_ms``, ``message_p99_ms``, ``message_p99_9_ms`` (null without a message), ``lost``,
    ``failures`` (in it). At last, ``"event": "end"`` tells of the whole run: ``standing``, ``verdict``, ``results``
    (path), ``duration_s``, ``messages``, the same three percentiles, ``lost``, ``failures``,
    ``warnings`` and ``checks`` (as in run.json).
    """

    def __init__(self, run: Run, stream: TextIO | None = None) -> None:
        self._run = run
        self._stream = stream or sys.stdout

    def second(self, found: Point) -> None:
        """The next second's figures."""
        self._write("second", found["at"], {name: found[field] for name, field in _FIELDS.items()})

    def end(self) -> None:
        """The run has ended, and was judged and stored."""
        run, summary = self._run, self._run.summary
        assert summary is not None
        message = summary.metrics.get("message")
        self._write(
            "end",
            run.writer.totals.end_s,
            {
                "standing": run.trust.standing,
                "verdict": run.trust.verdict,
                "results": str(run.writer.path),
                "duration_s": summary.duration_s,
                "messages": message.count if message else 0,
                "message_p50_ms": message.p50_ns / 1e6 if message else None,
                "message_p99_ms": message.p99_ns / 1e6 if message else None,
                "message_p99_9_ms": message.p99_9_ns / 1e6 if message else None,
                "lost": summary.counters.get("lost", 0),
                "failures": sum(summary.failures.values()),
                "warnings": [asdict(warning) for warning in run.warnings],
                "checks": [check.to_json() for check in run.checks],
            },
        )

    def _write(self, event: str, at: float | None, fields: dict[str, Any]) -> None:
        about = {"schema": SCHEMA, "event": event, "run": self._run.writer.path.name, "at": at}
        try:
            self._stream.write(json.dumps(about | fields) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more: no reason to end the run, nor to say so every second.
            self._write = lambda *_: None  # type: ignore[method-assign]
