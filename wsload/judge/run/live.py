"""A run in progress: one point a second, and percentile curves of the whole run and of its last seconds."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any, Final

from wsload.judge.figures.shape import Shape, shape
from wsload.judge.figures.summary import MetricSummary, summarize
from wsload.judge.run.watch import Watch
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals

RECENT_S: Final = 10
"""How many of the latest one-second intervals make the recent curve."""
MOST_POINTS: Final = 7_200
"""Two hours of seconds; older points are only in the report."""
PERCENTILES: Final = (50, 99, 99.9)

Point = dict[str, float | None]
"""A few figures of one interval, see `point`."""


def point(interval: Interval) -> Point:
    """An interval's figures as plain values: its end ``at`` in seconds since the epoch, message percentiles in ms
    (None without a message), levels at its end, rates per second, and how many were lost or failed.
    """
    message = interval.histograms.get("message", Histogram())
    counters, length_s = interval.counters, max(interval.length_s, 1e-9)
    delivered = counters.get("deliveries_own_host", 0) + counters.get("deliveries_foreign", 0)
    p50, p99, p99_9 = (value / 1e6 if message.total else None for value in message.percentiles(PERCENTILES))
    return {
        "at": round(interval.start_s + interval.length_s, 3),
        "p50": p50,
        "p99": p99,
        "p99_9": p99_9,
        "users": interval.gauges.get("users", 0),
        "connections": interval.gauges.get("connections", 0),
        "in_flight": interval.gauges.get("in_flight", 0),
        "sent": round(counters.get("sent", 0) / length_s, 1),
        "echoes": round(message.total / length_s, 1),
        "deliveries": round(delivered / length_s, 1),
        "lost": counters.get("lost", 0),
        "failures": sum(interval.failures.values()),
    }


class LiveView:
    """Takes each interval as it is written, and provides the live page's data.

    Costs the hub 0.1 ms per interval; everything else is computed on request (3 ms), at most once per interval.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._points: collections.deque[Point] = collections.deque(maxlen=MOST_POINTS)
        self.taken = 0
        """How many intervals were added."""
        self._recent: collections.deque[Histogram] = collections.deque(maxlen=RECENT_S)
        self._figures: tuple[int, dict[str, Any]] = (-1, {})

    def add(self, interval: Interval) -> Point:
        """Adds the next interval; returns its point."""
        self._recent.append(interval.histograms.get("message", Histogram()))
        self.taken += 1
        self._points.append(point(interval))
        return self._points[-1]

    def snapshot(self, since: int, processes: Iterable[Watch]) -> dict[str, Any]:
        """The current figures as plain values, times in ms, and the points after the first ``since``.

        Pass the returned ``taken`` as ``since`` next time.
        """
        if self._figures[0] != self.taken:
            self._figures = self.taken, self._now(processes)
        first = self.taken - len(self._points)
        points = list(self._points)[max(since - first, 0) :]
        return {"taken": self.taken, "points": points, **self._figures[1]}

    def _now(self, processes: Iterable[Watch]) -> dict[str, Any]:
        summary = summarize(self._totals)
        whole = self._totals.histograms.get("message", Histogram())
        return {
            "metrics": {name: _metric(figures) for name, figures in summary.metrics.items()},
            "counters": dict(summary.counters),
            "failures": [[what, kind, number] for (what, kind), number in summary.failures.items()],
            "closes": [[code, number] for code, number in summary.closes.items()],
            "processes": [_process(watch) for watch in processes],
            "curves": {"whole run": _curve(shape(whole)), "last 10 s": _curve(shape(merged(self._recent)))},
        }


def _metric(figures: MetricSummary) -> dict[str, float]:
    return {
        "count": figures.count,
        "rate": figures.rate,
        "p50": figures.p50_ns / 1e6,
        "p90": figures.p90_ns / 1e6,
        "p95": figures.p95_ns / 1e6,
        "p99": figures.p99_ns / 1e6,
        "p99_9": figures.p99_9_ns / 1e6,
        "max": figures.max_ns / 1e6,
    }


def _curve(found: Shape) -> dict[str, list[float]]:
    return {"at": list(found.percentiles), "ms": [value / 1e6 for value in found.values_ns]}


def _process(watch: Watch) -> dict[str, Any]:
    totals = watch.totals
    lag = totals.histograms.get("send_lag") or totals.histograms.get("loop_lag") or Histogram()
    message = totals.histograms.get("message", Histogram())
    return {
        "name": watch.name or "this process",
        "users": totals.gauges.get("users", 0),
        "messages": message.total,
        "cpu": round(watch.last, 3),
        "cpu_peak": round(watch.peak, 3),
        "p99": message.percentile(99) / 1e6,
        "lag_p99": lag.percentile(99) / 1e6,
    }
