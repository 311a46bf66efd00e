"""Exports a run in progress: Prometheus, OpenTelemetry, and JSON lines on standard output.

All exporters live in the process that owns the run, on its hub, and use what is recorded anyway.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TextIO

from locust.runners import WorkerRunner

from wsload.judge.figures.summary import MetricSummary, Summary
from wsload.judge.run.live import Named, Point
from wsload.load.options.settings import Settings
from wsload.load.watch.opentelemetry import observe_with_opentelemetry
from wsload.load.watch.prometheus import serve_prometheus
from wsload.measure.names import FAILED, LOST, OWN, split

if TYPE_CHECKING:
    from wsload.load.run.run import Run

logger = logging.getLogger("wsload")

SCHEMA: Final = 1
"""The version of the JSON lines; raised by incompatible changes."""


def watch_from_outside(environment: Any, settings: Settings, run_now: Callable[[], Run | None]) -> None:
    """Starts the exporters that the options ask for, once, before any run. Raises `UsageError`."""
    if isinstance(environment.runner, WorkerRunner):
        return
    if settings.prometheus is not None:
        logger.info("Prometheus metrics at %s", serve_prometheus(settings.prometheus, run_now))
    if getattr(environment.parsed_options, "otel", False):
        observe_with_opentelemetry(run_now)


class JsonProgress:
    """``--ws-json-progress``: one JSON object a line, for the logs of CI jobs.

    Each has ``schema`` (1), ``event``, ``run`` (its directory's name) and ``at`` (seconds since the epoch).

    ``"event": "second"`` comes once a second: ``users``, ``connections``, ``in_flight`` (levels at its end),
    ``sent_per_s``, ``answered_per_s`` (requests), ``deliveries_per_s``, ``lost``, ``failures`` (in that second).
    ``names`` has, for each request, step and value that occurred in that second, ``answered_per_s``, ``p50_ms``,
    ``p99_ms``, ``p99_9_ms`` (null without an answer), ``lost`` and ``failed``.

    ``"event": "end"`` comes last and is about the whole run: ``standing``, ``verdict``, ``results`` (path),
    ``duration_s``, ``lost``, ``failures``, ``warnings`` and ``checks`` (as in run.json). ``names`` has, for each name,
    its ``kind``, ``answered``, the same three percentiles, ``lost`` and ``failed``.

    The chat's request ``message`` also has fields of its own: ``echoes_per_s`` or ``messages``, ``message_p50_ms``,
    ``message_p99_ms``, ``message_p99_9_ms``.
    """

    def __init__(self, run: Run, stream: TextIO | None = None) -> None:
        self._run = run
        self._stream = stream or sys.stdout

    def second(self, found: Point) -> None:
        """Writes the figures of a second."""
        message = found.names.get("message")
        fields = {
            "users": found.users,
            "connections": found.connections,
            "in_flight": found.in_flight,
            "sent_per_s": found.sent,
            "answered_per_s": found.answered,
            "deliveries_per_s": found.deliveries,
            "lost": found.lost,
            "failures": found.failures,
            "names": {name: _second(named) for name, named in found.names.items()},
            "echoes_per_s": message.answered if message else 0.0,
            **_percentiles("message_", *(message[1:4] if message else _NONE)),
        }
        self._write("second", found.at, fields)

    def end(self) -> None:
        """Writes the end of the run, which was judged and stored."""
        run, ended = self._run, self._run.ended
        assert ended is not None
        summary = ended.summary
        names = {name: _whole(name, summary) for name in _names(summary)}
        message = summary.metrics.get("message")
        self._write(
            "end",
            run.writer.totals.end_s,
            {
                "standing": run.trust.standing,
                "verdict": run.trust.verdict,
                "results": str(run.writer.path),
                "duration_s": summary.duration_s,
                "lost": summary.counters.get("lost", 0),
                "failures": sum(summary.failures.values()),
                "warnings": [asdict(warning) for warning in ended.judgement.warnings],
                "checks": [check.to_json() for check in ended.checks],
                "names": names,
                "messages": message.count if message else 0,
                **_percentiles("message_", *_in_ms(message)),
            },
        )

    def _write(self, event: str, at: float | None, fields: dict[str, Any]) -> None:
        about = {"schema": SCHEMA, "event": event, "run": self._run.writer.path.name, "at": at}
        try:
            self._stream.write(json.dumps(about | fields) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # The reader is gone: no reason to end the run, or to log this every second.
            self._write = lambda *_: None  # type: ignore[method-assign]


_NONE: Final = (None, None, None)


def _percentiles(prefix: str, p50: float | None, p99: float | None, p99_9: float | None) -> dict[str, object]:
    return {f"{prefix}p50_ms": p50, f"{prefix}p99_ms": p99, f"{prefix}p99_9_ms": p99_9}


def _in_ms(found: MetricSummary | None) -> tuple[float | None, float | None, float | None]:
    return (found.p50_ns / 1e6, found.p99_ns / 1e6, found.p99_9_ns / 1e6) if found else _NONE


def _second(named: Named) -> dict[str, object]:
    return {
        "answered_per_s": named.answered,
        **_percentiles("", named.p50, named.p99, named.p99_9),
        "lost": named.lost,
        "failed": named.failed,
    }


def _names(summary: Summary) -> Iterable[str]:
    """Every name, with or without values."""
    measured = (split(metric)[0] for metric in summary.metrics)
    return dict.fromkeys([*(name for name in measured if name not in OWN), *summary.names])


def _whole(name: str, summary: Summary) -> dict[str, object]:
    counts = {part: found.count for part in ("", LOST, FAILED) if (found := summary.metrics.get(name + part))}
    return {
        "kind": summary.kind(name),
        "answered": counts.get("", 0),
        **_percentiles("", *_in_ms(summary.metrics.get(name))),
        "lost": counts.get(LOST, 0),
        "failed": counts.get(FAILED, 0),
    }
