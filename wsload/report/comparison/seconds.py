"""How a run's percentiles went second by second, so that both sides of a pair can be seen on one time axis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval

MOST: Final = 60
"""Points of a run; the seconds of a longer one are taken together."""
PERCENTILES: Final = (50.0, 99.0)
LEAST: Final = 20
"""Values of a second that are enough for a percentile of it to be drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """A percentile of one metric in one second, or in several that are taken together."""

    at_s: int
    """When it began: seconds since the epoch, a multiple of `BySecond.step_s`."""
    p50_ns: int
    p99_ns: int


class BySecond:
    """Collects the intervals of a run."""

    def __init__(self, length_s: float) -> None:
        """``length_s`` is how long the run was to take; 0 where that is not known."""
        self.step_s: Final = max(1, math.ceil(length_s / MOST))
        self._found: dict[str, list[Second]] = defaultdict(list)
        self._at_s = 0
        self._sums: dict[str, Histogram] = {}

    def add(self, interval: Interval) -> None:
        """Adds the next interval."""
        middle_s = interval.start_s + interval.length_s / 2
        at_s = math.floor(middle_s / self.step_s) * self.step_s
        if at_s != self._at_s:
            self._close()
            self._at_s = at_s
        for metric, histogram in interval.histograms.items():
            if metric in self._sums:
                self._sums[metric].add(histogram)
            else:
                self._sums[metric] = histogram.copy() if self.step_s > 1 else histogram

    def _close(self) -> None:
        for metric, histogram in self._sums.items():
            if histogram.total >= LEAST:
                p50_ns, p99_ns = histogram.percentiles(PERCENTILES)
                self._found[metric].append(Second(at_s=self._at_s, p50_ns=p50_ns, p99_ns=p99_ns))
        self._sums = {}

    def finish(self) -> Mapping[str, tuple[Second, ...]]:
        """The points of each metric, in order of time."""
        self._close()
        return {metric: tuple(points) for metric, points in self._found.items()}
