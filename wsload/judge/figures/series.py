"""A run's time series: the data of the charts.

Intervals are put into slots of equal length, initially a second. When there are more slots than a chart can show,
neighbours are merged and the slot length doubles. Nothing is averaged: percentiles are taken of merged histograms,
counters are added, and the lowest and highest levels are kept. The number of slots limits the memory, however long
the run.
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
from wsload.measure.layout import HIGH
from wsload.measure.names import FAILED, LOST, SERVICE, in_order, split

MAX_SLOTS: Final = 600
MIN_SLOTS: Final = 60
"""Even a run with very many metrics has this many."""
MAX_PIECES: Final = 20_000
"""Limit of slots times metrics: with many metrics there are fewer slots, so that memory and report stay small."""
SECOND_S: Final = 1.0
MIN_COVERED: Final = 0.25
"""A rate needs this share of its slot to be recorded; the last slot is often very short."""
_UNTRACKED: Final = (*PHASES, "close", "gc_pause")
"""Metrics that are only of interest over the whole run."""

_PERCENTILES: Final = (50.0, 99.0, 99.9, 100.0)
_NO_FIGURES: Final = (None,) * len(_PERCENTILES)


def is_tracked(metric: str) -> bool:
    """Whether a metric's percentiles are followed over time."""
    return split(metric)[1] in ("", SERVICE) and metric not in _UNTRACKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One metric's figures per slot, in ns; None for a slot without values."""

    count: tuple[int, ...]
    p50_ns: tuple[int | None, ...]
    p99_ns: tuple[int | None, ...]
    p99_9_ns: tuple[int | None, ...]
    max_ns: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One gauge per slot; None where it was not recorded."""

    lowest: tuple[int | None, ...]
    highest: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A run over time; every tuple has one element per slot."""

    start_s: float = 0.0
    """Start of the time axis: wall clock, seconds since the epoch."""
    width_s: float = SECOND_S
    """Length of a slot."""
    at_s: tuple[float, ...] = ()
    """Start of each slot, relative to ``start_s``; slots without an interval are absent."""
    covered_s: tuple[float, ...] = ()
    """How much of each slot was recorded; the divisor of its rates."""
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
    unanswered: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """How many were lost or failed, by metric: ``buy.lost``, ``buy.failed``."""

    def rates(self, counts: tuple[int, ...]) -> tuple[float | None, ...]:
        """The counts per second; None for a slot of which too little was recorded."""
        least_s = MIN_COVERED * self.width_s
        return tuple(
            count / covered if covered >= least_s else None
            for count, covered in zip(counts, self.covered_s, strict=True)
        )


class _Sparse(NamedTuple):
    """A histogram's non-zero counts and their indices, which takes a fraction of the memory and time."""

    places: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, histogram: Histogram) -> _Sparse:
        return cls(*histogram.filled())


def _sum(pieces: Iterable[_Sparse]) -> Histogram:
    histogram = Histogram()
    for places, counts in pieces:
        if len(places):
            histogram.reach(int(places[-1]) + 1)[places] += counts
        histogram.total += int(counts.sum())
    return histogram


class _Slot:
    """The data of a slot."""

    __slots__ = ("counters", "covered_s", "end_s", "failures", "highest", "lowest", "pieces", "unanswered")

    def __init__(self) -> None:
        self.pieces: dict[str, list[_Sparse]] = {}
        """By metric, to be added up."""
        self.counters: Counter[str] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.covered_s = 0.0
        self.end_s = 0.0
        self.lowest: dict[str, int] = {}
        self.highest: dict[str, int] = {}

    def pack(self) -> None:
        """Merges each metric's pieces into one."""
        for metric, pieces in self.pieces.items():
            if len(pieces) > 1:
                self.pieces[metric] = [_Sparse.of(_sum(pieces))]

    def packed(self, metric: str) -> _Sparse | None:
        """A metric's only piece, after `pack`."""
        pieces = self.pieces.get(metric)
        return pieces[0] if pieces else None

    def absorb(self, later: _Slot) -> None:
        """Adds the next slot."""
        for metric, pieces in later.pieces.items():
            self.pieces.setdefault(metric, []).extend(pieces)
        self.counters.update(later.counters)
        self.failures.update(later.failures)
        self.unanswered.update(later.unanswered)
        self.covered_s += later.covered_s
        self.end_s = max(self.end_s, later.end_s)
        self.see(later.lowest, later.highest)

    def see(self, lowest: Mapping[str, int], highest: Mapping[str, int]) -> None:
        for name, level in lowest.items():
            self.lowest[name] = min(level, self.lowest.get(name, level))
        for name, level in highest.items():
            self.highest[name] = max(level, self.highest.get(name, level))


class SeriesBuilder:
    """Builds a `Series` from a run's intervals, without keeping them."""

    def __init__(self, most_slots: int = MAX_SLOTS) -> None:
        """``most_slots`` is at least 2."""
        self._most = most_slots
        self._metrics: set[str] = set()
        """The tracked metrics so far."""
        self._origin_s = 0.0
        """Start of slot 0; meaningless without slots."""
        self._width_s = SECOND_S
        self._slots: dict[int, _Slot] = {}
        self._open = _Slot()
        """The slot that was added to last; the others are packed."""
        self._end_s = 0.0
        """The latest end of an interval."""

    def add(self, interval: Interval) -> None:
        """Adds the next interval to the slot that contains its middle."""
        if not interval:
            return
        end_s = interval.start_s + interval.length_s
        if not self._slots:
            # The first interval is often shorter; the following ones fill one slot each.
            self._origin_s = end_s - SECOND_S
        place = self._place((interval.start_s + end_s) / 2)
        self._metrics.update(filter(is_tracked, interval.histograms))
        fewest = min(MIN_SLOTS, self._most)
        self._most = min(self._most, max(MAX_PIECES // max(len(self._metrics), 1), fewest))
        if len(self._slots) + (place not in self._slots) > self._most:
            self._widen()
            place = self._place((interval.start_s + end_s) / 2)
        slot = self._slots.setdefault(place, _Slot())
        if slot is not self._open:
            self._open.pack()
            self._open = slot
        for metric, histogram in interval.histograms.items():
            if is_tracked(metric):
                slot.pieces.setdefault(metric, []).append(_Sparse.of(histogram))
            elif split(metric)[1] in (LOST, FAILED):
                slot.unanswered[metric] += histogram.total
        slot.counters.update(interval.counters)
        slot.failures.update(interval.failures)
        slot.covered_s += min(interval.length_s, max(end_s - slot.end_s, 0.0))
        slot.end_s = max(slot.end_s, end_s)
        if end_s > self._end_s:  # otherwise it is a late one from a single worker, with partial levels
            self._end_s = end_s
            slot.see(interval.gauges, interval.gauges)

    def _place(self, moment_s: float) -> int:
        return int((moment_s - self._origin_s) // self._width_s)

    def _widen(self) -> None:
        """Doubles the slot length until there is room for another slot."""
        while len(self._slots) >= self._most:
            narrow, self._slots = self._slots, {}
            first = min(narrow)  # relative to this, any two slots merge after enough doublings
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
            unanswered={
                metric: tuple(slot.unanswered[metric] for slot in slots)
                for metric in in_order({metric for slot in slots for metric in slot.unanswered})
            },
        )


def _track(column: list[_Sparse | None]) -> tuple[Track, list[Buckets | None]]:
    """The figures and buckets of one metric's slots."""
    counts: list[int] = []
    figures: list[tuple[int | None, ...]] = []
    for packed in column:
        histogram = _sum([packed] if packed else [])
        counts.append(histogram.total)
        figures.append(tuple(histogram.percentiles(_PERCENTILES)) if histogram.total else _NO_FIGURES)
    p50, p99, p99_9, highest = zip(*figures, strict=True)
    track = Track(count=tuple(counts), p50_ns=p50, p99_ns=p99, p99_9_ns=p99_9, max_ns=highest)
    return track, [(HIGH[packed.places], packed.counts) if packed else None for packed in column]
