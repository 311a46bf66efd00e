"""What a recorder hands out every second."""

from __future__ import annotations

from typing import Any

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, added


class Snapshot:
    """Everything recorded since the previous snapshot; `interval` makes an `Interval` of it.

    That takes about a millisecond, so it is left to another thread.
    """

    __slots__ = ("_counts", "_histograms", "_parts", "_rest")

    def __init__(
        self, histograms: dict[str, Histogram], rest: dict[str, list[int]], counts: Any, **parts: Any
    ) -> None:
        self._histograms = histograms
        self._rest = rest
        self._counts = counts
        self._parts = parts

    def interval(self) -> Interval:
        """Call it once only: it uses up the snapshot."""
        histograms = self._histograms
        for metric, values in self._rest.items():
            histograms.setdefault(metric, Histogram()).record(values)
        found = {name: getattr(self._counts, name) for name in self._counts.__slots__}
        overflow = sum(histogram.overflow for histogram in histograms.values())
        found["out_of_range"] += overflow
        counted = {name: number for name, number in found.items() if number}
        return Interval(
            histograms=histograms,
            counters=added((counted, self._parts.pop("own_counters"))),
            **self._parts,
        )
