"""A run in progress: one point per second, and percentile curves of the whole run and of its last seconds."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from wsload.judge.figures.samples import can_be_shown, number_of
from wsload.judge.figures.shape import Shape, shape
from wsload.judge.figures.summary import MetricSummary, summarize
from wsload.judge.run.processes import ProcessFigures, answered_in
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import FAILED, LOST, OWN, Kind, split

RECENT_S: Final = 10
"""How many of the latest one-second intervals make the recent curve."""
MAX_POINTS: Final = 7_200
"""Two hours; older points are only in the report."""
MAX_NAMED: Final = 100_000
"""Limit of points times names: a run with many names has fewer points."""
PERCENTILES: Final = (50, 99, 99.9)


class Named(NamedTuple):
    """One name in one interval."""

    answered: float
    """Per second; for a value, how often it was recorded."""
    p50: float | None
    """Percentiles are in ms; None without an answer."""
    p99: float | None
    p99_9: float | None
    lost: int
    failed: int


_NOT_NAMED: Final = Named(0.0, None, None, None, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The main figures of an interval."""

    at: float
    """Its end, in seconds since the epoch."""
    users: int
    """The level at its end, like those of connections and requests in flight."""
    connections: int
    in_flight: int
    sent: float
    """Requests per second; answers and deliveries are per second too."""
    answered: float
    deliveries: float
    lost: int
    failures: int
    names: Mapping[str, Named]
    """The requests, steps and values that had any values in it."""

    def plain(self, name: str | None) -> dict[str, float | None]:
        """Plain values, with the answers per second (``rate``) and percentiles of one name."""
        named = self.names.get(name or "", _NOT_NAMED)
        return {
            "at": self.at,
            "users": self.users,
            "connections": self.connections,
            "in_flight": self.in_flight,
            "sent": self.sent,
            "answered": self.answered,
            "deliveries": self.deliveries,
            "lost": self.lost,
            "failures": self.failures,
            "rate": named.answered,
            "p50": named.p50,
            "p99": named.p99,
            "p99_9": named.p99_9,
        }


def point(interval: Interval, kinds: Mapping[str, Kind] | None = None) -> Point:
    """The figures of an interval; names without an entry in ``kinds`` are taken for requests."""
    counters, length_s = interval.counters, max(interval.length_s, 1e-9)
    names = dict.fromkeys(split(metric)[0] for metric in interval.histograms)
    named = {name: _named(name, interval, length_s) for name in names if name not in OWN}
    delivered = counters.get("deliveries_own_host", 0) + counters.get("deliveries_foreign", 0)
    return Point(
        at=round(interval.start_s + interval.length_s, 3),
        users=interval.gauges.get("users", 0),
        connections=interval.gauges.get("connections", 0),
        in_flight=interval.gauges.get("in_flight", 0),
        sent=round(counters.get("requests", 0) / length_s, 1),
        answered=round(answered_in(interval, kinds or {}) / length_s, 1),
        deliveries=round(delivered / length_s, 1),
        lost=counters.get("lost", 0),
        failures=sum(interval.failures.values()),
        names=named,
    )


def _named(name: str, interval: Interval, length_s: float) -> Named:
    found = interval.histograms.get(name, Histogram())
    p50, p99, p99_9 = (value / 1e6 if found.total else None for value in found.percentiles(PERCENTILES))
    return Named(
        round(found.total / length_s, 1),
        p50,
        p99,
        p99_9,
        number_of(name + LOST, interval.histograms),
        number_of(name + FAILED, interval.histograms),
    )


class LiveView:
    """Takes each interval as it is written, and provides the live page's data.

    Where there is no page (``charted`` is False), only the points of the last seconds are kept: an hour's are 1 MB.
    Costs the hub 0.1 ms per interval; everything else is computed on request (3 ms), at most once per interval.
    """

    def __init__(self, totals: Callable[[], Totals], *, charted: bool = True) -> None:
        """``totals`` gives the run's figures so far."""
        self._totals = totals
        most = MAX_POINTS if charted else RECENT_S
        self._points: collections.deque[Point] = collections.deque(maxlen=most)
        self.taken = 0
        """How many points there were, with those that are kept no more."""
        self._second = -1
        """That of the latest point."""
        self._added = 0
        """How many intervals were added."""
        # Of the last seconds' histograms only what is not empty: whole ones take 6 MB with 20 names.
        self._recent: collections.deque[Mapping[str, Histogram]] = collections.deque(
            maxlen=RECENT_S if charted else 0
        )
        self._figures: tuple[int, dict[str, Any]] = (-1, {})
        self._curves: tuple[object, dict[str, Any]] = (None, {})

    def add(self, interval: Interval) -> Point | None:
        """Takes the next interval of the run; returns its point.

        None if the second, or a later one, has its point already: then the interval is what one worker sent too late,
        which the totals have, and its levels are that worker's alone.
        """
        self._added += 1
        if interval.second <= self._second:
            return None
        self._second = interval.second
        if self._recent.maxlen:
            self._recent.append(
                {name: Histogram.at(*found.filled()) for name, found in interval.histograms.items()}
            )
        self.taken += 1
        self._points.append(point(interval, self._totals().names))
        while len(self._points) * len(self._points[-1].names) > MAX_NAMED and len(self._points) > RECENT_S:
            self._points.popleft()
        return self._points[-1]

    def snapshot(self, since: int, processes: Iterable[ProcessFigures], name: str = "") -> dict[str, Any]:
        """Everything so far as plain values, but only the points after the first ``since``. Times are in ms.

        Points and curves are those of one name; if the run doesn't have it, of the one that represents the run.
        ``taken`` is the ``since`` of the next call.
        """
        if self._figures[0] != self._added:
            self._figures = self._added, self._now(processes)
        names = self._figures[1]["names"]
        chosen = name if name in names else self._figures[1]["leading"]
        if self._curves[0] != (self._added, chosen):
            self._curves = (self._added, chosen), self._curves_of(chosen)
        first = self.taken - len(self._points)
        points = [found.plain(chosen) for found in list(self._points)[max(since - first, 0) :]]
        return {
            "taken": self.taken,
            "points": points,
            "name": chosen,
            "curves": self._curves[1],
            **self._figures[1],
        }

    def _curves_of(self, name: str | None) -> dict[str, Any]:
        whole = self._totals().histograms.get(name or "", Histogram())
        recent = merged(found[name] for found in self._recent if name is not None and name in found)
        return {"whole run": _curve(shape(whole)), "last 10 s": _curve(shape(recent))}

    def _now(self, processes: Iterable[ProcessFigures]) -> dict[str, Any]:
        summary = summarize(self._totals())
        names = [name for name in dict.fromkeys([*summary.metrics, *summary.names]) if _is_name(name)]
        return {
            "names": {name: summary.kind(name) for name in names},
            "leading": summary.leading,
            "metrics": {name: _metric(figures) for name, figures in summary.metrics.items()},
            "counters": dict(summary.counters),
            "failures": [[what, kind, number] for (what, kind), number in summary.failures.items()],
            "closes": [[code, number] for code, number in summary.closes.items()],
            "processes": [_process(watch) for watch in processes],
        }


def _is_name(metric: str) -> bool:
    return metric not in OWN and not split(metric)[1]


def _metric(figures: MetricSummary) -> dict[str, float | None]:
    """Percentiles with too few values are None."""
    shown = {
        percentile: value_ns / 1e6 if can_be_shown(percentile, figures.count) else None
        for percentile, value_ns in figures.percentiles.items()
    }
    return {
        "count": figures.count,
        "rate": figures.rate,
        "p50": shown[50.0],
        "p90": shown[90.0],
        "p95": shown[95.0],
        "p99": shown[99.0],
        "p99_9": shown[99.9],
        "max": figures.max_ns / 1e6,
    }


def _curve(found: Shape) -> dict[str, list[float]]:
    return {"at": list(found.percentiles), "ms": [value / 1e6 for value in found.values_ns]}


def _process(watch: ProcessFigures) -> dict[str, Any]:
    """One process; ``p99`` is that of the name that represents it."""
    totals = watch.totals
    lag = totals.histograms.get("send_lag") or totals.histograms.get("loop_lag") or Histogram()
    answers = totals.histograms.get(watch.leading or "", Histogram())
    return {
        "name": watch.name or "this process",
        "users": totals.gauges.get("users", 0),
        "answered": watch.answered,
        "cpu": round(watch.last, 3),
        "cpu_peak": round(watch.peak, 3),
        "p99": answers.percentile(99) / 1e6 if can_be_shown(99, answers.total) else None,
        "lag_p99": lag.percentile(99) / 1e6 if can_be_shown(99, lag.total) else None,
    }
