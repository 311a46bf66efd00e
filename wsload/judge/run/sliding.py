"""Sums over the latest stretch of a run: each interval is added once and taken away once, however long that is."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter

from wsload.measure.earlier import Earlier
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals


class RunningSum:
    """The sum of what checks need of the intervals in it, which come and go: histograms, counters and failures."""

    def __init__(self) -> None:
        self._held: list[Interval] = []
        """By their middles."""
        self._histograms: dict[str, Histogram] = {}
        self._counters: Counter[str] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()

    def add(self, interval: Interval) -> None:
        """Adds an interval, in whatever order they come; it is kept until it is taken."""
        insort(self._held, interval, key=_middle_s)
        for metric, histogram in interval.histograms.items():
            self._histograms.setdefault(metric, Histogram()).add(histogram)
        self._counters.update(interval.counters)
        self._failures.update(interval.failures)

    def take(self, until_s: float) -> list[Interval]:
        """Takes out the intervals whose middle is not after this time (seconds since the epoch), and returns them."""
        taken = self._held[: bisect_right(self._held, until_s, key=_middle_s)]
        del self._held[: len(taken)]
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
            length_s=self._covered_s(),
            histograms=self._histograms,
            counters=+self._counters,  # those at zero are known from earlier, or absent
            failures=+self._failures,
        )
        return Totals.of([earlier.known_to(whole)])

    def _covered_s(self) -> float:
        """The time covered, as `Totals` counts it."""
        covered_s = 0.0
        end_s = self._held[0].start_s
        for interval in self._held:
            ends_s = interval.start_s + interval.length_s
            covered_s += min(interval.length_s, max(ends_s - end_s, 0.0))
            end_s = max(end_s, ends_s)
        return covered_s


def _middle_s(interval: Interval) -> float:
    """The middle of an interval, by which it belongs to one of two times that share a border."""
    return interval.start_s + interval.length_s / 2
