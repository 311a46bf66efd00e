"""Sums over the latest stretch of a run: each interval is added once and taken away once, however long that is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter

from wsload.measure.earlier import Earlier
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals


class RunningSum:
    """The sum of what checks need of the intervals in it, which come and go: histograms, counters and failures."""

    def __init__(self) -> None:
        self._held: list[Interval] = []
        """By their middles."""
        self._reached_s: list[float] = []
        """For each, the latest end of it and those before it."""
        self._added_s: list[float] = []
        """For each, the time that it covers and those before it don't."""
        self._histograms: dict[str, Histogram] = {}
        self._counters: Counter[str] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()

    def add(self, interval: Interval) -> None:
        """Adds an interval, in whatever order they come; it is kept until it is taken."""
        place = bisect_right(self._held, _middle_s(interval), key=_middle_s)
        self._held.insert(place, interval)
        self._reached_s.insert(place, math.nan)
        self._added_s.insert(place, 0.0)
        self._measure(place)
        for metric, histogram in interval.histograms.items():
            self._histograms.setdefault(metric, Histogram()).add(histogram)
        self._counters.update(interval.counters)
        self._failures.update(interval.failures)

    def take(self, until_s: float) -> list[Interval]:
        """Takes out the intervals whose middle is not after this time (seconds since the epoch), and returns them."""
        taken = self._held[: bisect_right(self._held, until_s, key=_middle_s)]
        if not taken:
            return []
        for column in (self._held, self._reached_s, self._added_s):
            del column[: len(taken)]
        self._measure(0)
        for interval in taken:
            for metric, histogram in interval.histograms.items():
                rest = self._histograms[metric]
                rest.subtract(histogram)
                if not (rest.total or rest.overflow):  # a metric without values is absent
                    del self._histograms[metric]
            self._counters.subtract(interval.counters)
            self._failures.subtract(interval.failures)
        return taken

    def totals(self, earlier: Earlier) -> Totals:
        """The sum, with the names and counters of the run so far, which are in ``earlier``."""
        if not self._held:
            return Totals()
        whole = Interval(
            length_s=sum(self._added_s),
            histograms=self._histograms,
            counters=+self._counters,  # those at zero are known from earlier, or absent
            failures=+self._failures,
        )
        return Totals.of([earlier.known_to(whole)])

    def _measure(self, place: int) -> None:
        """Measures what time the intervals cover, as `Totals` does, from this place on until nothing changes."""
        for at in range(place, len(self._held)):
            interval = self._held[at]
            end_s = interval.start_s + interval.length_s
            before_s = self._reached_s[at - 1] if at else interval.start_s
            self._added_s[at] = min(interval.length_s, max(end_s - before_s, 0.0))
            reached_s = max(before_s, end_s)
            if self._reached_s[at] == reached_s:
                return
            self._reached_s[at] = reached_s


def _middle_s(interval: Interval) -> float:
    """The middle of an interval, by which it belongs to one of two times that share a border."""
    return interval.start_s + interval.length_s / 2
