"""A run along its time axis: what charts draw.

Intervals are put into slots of equal length, at first a second. When there come to be more slots
than a chart can show, neighbours are merged and slots are twice as long. Histograms are merged before
percentiles are taken, counters are added, of levels the lowest and the highest are kept: nothing is
averaged. Memory is bounded by the number of slots, however long the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsload.judge.figures.heat import Buckets, Heat, heat_map
from wsload.judge.figures.shape import PHASES
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, added
from wsload.measure.names import in_order

MOST_SLOTS: Final = 600
SECOND_S: Final = 1.0
LEAST_COVERED: Final = 0.25
"""Of a slot, before its counts are taken for a rate: the last one is often a moment long."""
UNTRACKED: Final = (*PHASES, "message.lost", "close", "gc_pause")
"""Metrics of which only the sum over the run is of interest."""

_PERCENTILES: Final = (50.0, 99.0, 99.9, 100.0)
_NO_FIGURES: Final = (None,) * len(_PERCENTILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One metric's figures, slot by slot, in ns; None where a slot has no values."""

    count: tuple[int, ...]
    p50_ns: tuple[int | None, ...]
    p99_ns: tuple[int | None, ...]
    p99_9_ns: tuple[int | None, ...]
    max_ns: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One gauge, slot by slot; None where nothing was said."""

    lowest: tuple[int | None, ...]
    highest: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A run along its time axis; all tuples have an element a slot."""

    start_s: float = 0.0
    """Wall clock, seconds since the epoch: where the time axis begins."""
    width_s: float = SECOND_S
    """How long a slot is."""
    at_s: tuple[float, ...] = ()
    """Where each slot begins, counted from ``start_s``; slots without any interval are absent."""
    covered_s: tuple[float, ...] = ()
    """How much of the slot was recorded: what rates divide by."""
    tracks: Mapping[str, Track] = field(default_factory=dict)
    """By metric."""
    heat: Mapping[str, Heat] = field(default_factory=dict)
    """By metric."""
    counters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By name; counters that were always zero are absent."""
    levels: Mapping[str, Level] = field(default_factory=dict)
    """By gauge."""
    failures: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """By (what was tried, kind of failure), most frequent first."""

    def rates(self, counts: tuple[int, ...]) -> tuple[float | None, ...]:
        """Counts of the slots as numbers a second; None where too little was recorded to tell."""
        least_s = LEAST_COVERED * self.width_s
        return tuple(
            count / covered if covered >= least_s else None
            for count, covered in zip(counts, self.covered_s, strict=True)
        )


class _Sparse(NamedTuple):
    """A histogram's places and counts that are not zero: a fraction of its memory, and of the time to add."""

    places: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, histogram: Histogram) -> _Sparse:
        places = (histogram.counts != 0).nonzero()[0]  # five times as fast as on the counts themselves
        return cls(places, histogram.counts[places])


def _sum(pieces: Iterable[_Sparse]) -> Histogram:
    histogram = Histogram()
    for places, counts in pieces:
        histogram.counts[places] += counts
        histogram.total += int(counts.sum())
    return histogram


class _Slot:
    """What one slot collected."""

    __slots__ = ("counters", "covered_s", "end_s", "failures", "highest", "lowest", "pieces")

    def __init__(self) -> None:
        self.pieces: dict[str, list[_Sparse]] = {}
        """By metric; their sum is meant."""
        self.counters: Counter[str] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()
        self.covered_s = 0.0
        self.end_s = 0.0
        self.lowest: dict[str, int] = {}
        self.highest: dict[str, int] = {}

    def pack(self) -> None:
        """Makes one piece of several."""
        for metric, pieces in self.pieces.items():
            if len(pieces) > 1:
                self.pieces[metric] = [_Sparse.of(_sum(pieces))]

    def packed(self, metric: str) -> _Sparse | None:
        """The one piece of a metric, after `pack`."""
        pieces = self.pieces.get(metric)
        return pieces[0] if pieces else None

    def absorb(self, later: _Slot) -> None:
        """Adds the slot that follows."""
        for metric, pieces in later.pieces.items():
            self.pieces.setdefault(metric, []).extend(pieces)
        self.counters.update(later.counters)
        self.failures.update(later.failures)
        self.covered_s += later.covered_s
        self.end_s = max(self.end_s, later.end_s)
        self.see(later.lowest, later.highest)

    def see(self, lowest: Mapping[str, int], highest: Mapping[str, int]) -> None:
        for name, level in lowest.items():
            self.lowest[name] = min(level, self.lowest.get(name, level))
        for name, level in highest.items():
            self.highest[name] = max(level, self.highest.get(name, level))


class SeriesBuilder:
    """Takes a run's intervals one after the other, and keeps none of them."""

    def __init__(self, most_slots: int = MOST_SLOTS) -> None:
        """``most_slots`` is 2 or more."""
        self._most = most_slots
        self._origin_s = 0.0
        """Where slot 0 begins; meaningless as long as there are none."""
        self._width_s = SECOND_S
        self._slots: dict[int, _Slot] = {}
        self._open = _Slot()
        """The slot that was last added to, which may be in pieces."""
        self._end_s = 0.0
        """How far the intervals have come."""

    def add(self, interval: Interval) -> None:
        """Adds the next interval: to the slot that holds its middle."""
        if not interval:
            return
        end_s = interval.start_s + interval.length_s
        if not self._slots:
            # The first interval is often shorter; those after it fill a slot each from its end on.
            self._origin_s = end_s - SECOND_S
        place = self._place((interval.start_s + end_s) / 2)
        if place not in self._slots and len(self._slots) == self._most:
            self._widen()
            place = self._place((interval.start_s + end_s) / 2)
        slot = self._slots.setdefault(place, _Slot())
        if slot is not self._open:
            self._open.pack()
            self._open = slot
        for metric, histogram in interval.histograms.items():
            if metric not in UNTRACKED:
                slot.pieces.setdefault(metric, []).append(_Sparse.of(histogram))
        slot.counters.update(interval.counters)
        slot.failures.update(interval.failures)
        slot.covered_s += min(interval.length_s, max(end_s - slot.end_s, 0.0))
        slot.end_s = max(slot.end_s, end_s)
        if end_s > self._end_s:  # else it is a part that came late, whose levels are a part's only
            self._end_s = end_s
            slot.see(interval.gauges, interval.gauges)

    def _place(self, moment_s: float) -> int:
        return int((moment_s - self._origin_s) // self._width_s)

    def _widen(self) -> None:
        """Makes slots twice as long, until there is room for another."""
        while len(self._slots) >= self._most:
            narrow, self._slots = self._slots, {}
            first = min(narrow)  # counted from there, any two slots meet after some doublings
            self._origin_s += first * self._width_s
            self._width_s *= 2
            for place in sorted(narrow):
                wide = (place - first) // 2
                if wide in self._slots:
                    self._slots[wide].absorb(narrow[place])
                else:
                    self._slots[wide] = narrow[place]
            for slot in self._slots.values():
                slot.pack()

    def series(self) -> Series:
        """The run so far."""
        if not self._slots:
            return Series()
        self._open.pack()
        places = sorted(self._slots)
        slots = [self._slots[place] for place in places]
        at_s = tuple((place - places[0]) * self._width_s for place in places)
        failures = added(slot.failures for slot in slots)
        tracks, heat = {}, {}
        for metric in in_order({metric for slot in slots for metric in slot.pieces}):
            tracks[metric], buckets = _track([slot.packed(metric) for slot in slots])
            heat[metric] = heat_map(buckets, at_s, self._width_s)
        return Series(
            start_s=self._origin_s + places[0] * self._width_s,
            width_s=self._width_s,
            at_s=at_s,
            covered_s=tuple(slot.covered_s for slot in slots),
            tracks=tracks,
            heat=heat,
            counters={
                name: tuple(slot.counters[name] for slot in slots)
                for name in sorted({name for slot in slots for name in slot.counters})
            },
            levels={
                name: Level(
                    lowest=tuple(slot.lowest.get(name) for slot in slots),
                    highest=tuple(slot.highest.get(name) for slot in slots),
                )
                for name in sorted({name for slot in slots for name in slot.highest})
            },
            failures={
                failure: tuple(slot.failures[failure] for slot in slots)
                for failure in sorted(failures, key=lambda failure: (-failures[failure], failure))
            },
        )


def _track(column: list[_Sparse | None]) -> tuple[Track, list[Buckets | None]]:
    """The figures of one metric's slots, and the slots' buckets."""
    counts: list[int] = []
    figures: list[tuple[int | None, ...]] = []
    for packed in column:
        histogram = _sum([packed] if packed else [])
        counts.append(histogram.total)
        figures.append(tuple(histogram.percentiles(_PERCENTILES)) if histogram.total else _NO_FIGURES)
    p50, p99, p99_9, highest = zip(*figures, strict=True)
    track = Track(count=tuple(counts), p50_ns=p50, p99_ns=p99, p99_9_ns=p99_9, max_ns=highest)
    return track, [(_EDGES[packed.places], packed.counts) if packed else None for packed in column]


def _all_edges() -> NDArray[np.int64]:
    full = Histogram()
    full.counts[:] = 1
    return full.buckets()[0]


_EDGES: Final = _all_edges()
"""The upper edge (ns) of each place in a histogram's counts."""
