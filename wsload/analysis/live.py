"""A run while it goes on: a point a second, and the percentile curves of the whole run and of just now."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any, Final

from wsload.analysis.shape import Shape, shape
from wsload.analysis.summary import summarize
from wsload.analysis.validity import Watch
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals

RECENT_S: Final = 10
"""What "just now" means, in intervals of a second."""
MOST_POINTS: Final = 7_200
"""Two hours of seconds; older points are in the report only."""
PERCENTILES: Final = (50, 99, 99.9)


class LiveView:
    """Takes each interval as it is written, and answers what a live page asks for.

    Costs the hub 0.1 ms an interval; the curves are made when asked for, once an interval at most.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._points: collections.deque[dict[str, float | None]] = collections.deque(maxlen=MOST_POINTS)
        self._taken = 0
        self._recent: collections.deque[Histogram] = collections.deque(maxlen=RECENT_S)
        self._curves: tuple[int, dict[str, Any]] = (-1, {})

    def add(self, interval: Interval) -> None:
        """The next interval of the run."""
        message = interval.histograms.get("message", Histogram())
        self._recent.append(message)
        self._taken += 1
        p50, p99, p99_9 = (
            value / 1e6 if message.total else None for value in message.percentiles(PERCENTILES)
        )
        counters, length_s = interval.counters, max(interval.length_s, 1e-9)
        delivery = counters.get("deliveries_own_host", 0) + counters.get("deliveries_foreign", 0)
        self._points.append(
            {
                "at": round(interval.start_s + interval.length_s, 3),
                "p50": p50,
                "p99": p99,
                "p99_9": p99_9,
                "users": interval.gauges.get("users", 0),
                "connections": interval.gauges.get("connections", 0),
                "posts": round(counters.get("sent", 0) / length_s, 1),
                "echoes": round(message.total / length_s, 1),
                "deliveries": round(delivery / length_s, 1),
                "failures": sum(interval.failures.values()),
            }
        )

    def snapshot(self, since: int, processes: Iterable[Watch]) -> dict[str, Any]:
        """Everything by now, as plain values; of the points those after the first ``since``. Times in ms.

        ``taken`` is what to ask ``since`` next time.
        """
        first = self._taken - len(self._points)
        points = list(self._points)[max(since - first, 0) :]
        summary = summarize(self._totals)
        return {
            "taken": self._taken,
            "points": points,
            "metrics": {
                name: {
                    "count": figures.count,
                    "rate": figures.rate,
                    **{
                        part: getattr(figures, f"{part}_ns") / 1e6
                        for part in ("p50", "p90", "p95", "p99", "p99_9", "max")
                    },
                }
                for name, figures in summary.metrics.items()
            },
            "counters": dict(summary.counters),
            "failures": [[what, kind, number] for (what, kind), number in summary.failures.items()],
            "closes": [[code, number] for code, number in summary.closes.items()],
            "processes": [_process(watch) for watch in processes],
            "curves": self._both_curves(),
        }

    def _both_curves(self) -> dict[str, Any]:
        if self._curves[0] != self._taken:
            whole = self._totals.histograms.get("message", Histogram())
            self._curves = (
                self._taken,
                {"whole run": _curve(shape(whole)), "last 10 s": _curve(shape(merged(self._recent)))},
            )
        return self._curves[1]


def _curve(found: Shape) -> dict[str, list[float]]:
    return {"at": list(found.percentiles), "ms": [value / 1e6 for value in found.values_ns]}


def _process(watch: Watch) -> dict[str, Any]:
    lag = watch.totals.histograms.get("send_lag") or watch.totals.histograms.get("loop_lag") or Histogram()
    return {
        "name": watch.name or "this process",
        "cpu": round(watch.last, 3),
        "cpu_peak": round(watch.peak, 3),
        "lag_p99": lag.percentile(99) / 1e6,
    }
