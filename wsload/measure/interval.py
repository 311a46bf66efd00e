"""What was recorded in one interval of time, as a frozen value: it is sent, merged and stored as a unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from wsload.measure.histogram import Histogram
from wsload.measure.names import Kind

MOST: Final = (1 << 63) - 1
"""The highest count, since files and messages can hold no higher one: sums stay there."""
BORDER_S: Final = 0.02
"""Intervals begin at full seconds, within this tolerance."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One interval of recording, usually a second of one process.

    Merging intervals of the same second is associative and commutative, and the empty interval is its identity;
    counters add up, and so do the gauges of different processes.
    """

    start_s: float = 0.0
    """Wall clock, seconds since the epoch: a label, never used for durations."""
    length_s: float = 0.0
    """By the monotonic clock."""
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    """By metric; a metric without values is absent."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """By name, see `wsload.measure.names`. Zeros are absent, except for counters that a user class declared."""
    gauges: Mapping[str, int] = field(default_factory=dict)
    """By name, see `wsload.measure.names.GAUGES`."""
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By (what was tried, kind of failure): ``("open", "refused")``."""
    details: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """For each kind of failure that first occurred in this interval, the details of one, in one line."""
    closes: Mapping[int, int] = field(default_factory=dict)
    """By close code (RFC 6455 section 7.4), whichever side closed."""
    names: Mapping[str, Kind] = field(default_factory=dict)
    """The requests, steps and values that were first named in this interval, and what they are."""

    @property
    def second(self) -> int:
        """The second in which it begins: that of all processes' intervals of the same time."""
        return int(self.start_s + BORDER_S)

    def __bool__(self) -> bool:
        return self.length_s > 0 or any(
            (
                self.histograms,
                self.counters,
                self.gauges,
                self.failures,
                self.details,
                self.closes,
                self.names,
            )
        )


class Merger:
    """Adds up intervals that cover the same time in different processes, without keeping them."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        """Start and length of each."""
        self._histograms: dict[str, Histogram] = {}
        self._counters: dict[str, int] = {}
        self._gauges: dict[str, int] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._details: dict[tuple[str, str], str] = {}
        self._closes: dict[int, int] = {}
        self._names: dict[str, Kind] = {}

    def add(self, part: Interval) -> None:
        if not part:
            return
        self._spans.append((part.start_s, part.length_s))
        for metric, histogram in part.histograms.items():
            _add(self._histograms, metric, histogram)
        count(self._counters, part.counters)
        count(self._gauges, part.gauges)
        count(self._failures, part.failures)
        self._details = told((self._details, part.details))
        count(self._closes, part.closes)
        if part.names:
            self._names = named((self._names, part.names))

    def merged(self) -> Interval:
        """Their sum: from the earliest start to the latest end; gauges add up."""
        if not self._spans:
            return Interval()
        timed = [(start_s, length_s) for start_s, length_s in self._spans if length_s > 0] or self._spans
        start_s = min(start_s for start_s, _ in timed)
        return Interval(
            start_s=start_s,
            length_s=max(sum(span) for span in timed) - start_s,
            histograms=self._histograms,
            counters=self._counters,
            gauges=self._gauges,
            failures=self._failures,
            details=self._details,
            closes=self._closes,
            names=self._names,
        )


def merge(intervals: Iterable[Interval]) -> Interval:
    """The sum of intervals that cover the same time in different processes."""
    merger = Merger()
    for interval in intervals:
        merger.add(interval)
    return merger.merged()


def _add(histograms: dict[str, Histogram], metric: str, histogram: Histogram) -> None:
    if metric in histograms:
        histograms[metric].add(histogram)
    else:
        histograms[metric] = histogram.copy()


def added(counts: Iterable[Mapping[K, int]]) -> dict[K, int]:
    """The sums by key."""
    total: dict[K, int] = {}
    for some in counts:
        count(total, some)
    return total


def count(total: dict[K, int], some: Mapping[K, int]) -> None:
    """Adds counts to a total, up to `MOST` each."""
    for key, number in some.items():
        total[key] = min(total.get(key, 0) + number, MOST)


def named(names: Iterable[Mapping[str, Kind]]) -> dict[str, Kind]:
    """All names with their kinds; a name with several kinds gets the one that comes first in `Kind`."""
    found: dict[str, Kind] = {}
    for some in names:
        for name, kind in some.items():
            found[name] = min(found.get(name, kind), kind, key=_RANK.__getitem__)
    return found


def told(details: Iterable[Mapping[tuple[str, str], str]]) -> dict[tuple[str, str], str]:
    """All details; of several of one failure the one that comes first in the alphabet."""
    found: dict[tuple[str, str], str] = {}
    for some in details:
        for failure, detail in some.items():
            found[failure] = min(found.get(failure, detail), detail)
    return found


_RANK = {kind: place for place, kind in enumerate(Kind)}


class Totals:
    """A run's intervals added up over time: the running state from which summaries are made.

    Unlike `merge`, which joins processes, this adds along the time axis, where gauges don't add up: their last and
    highest values are kept.
    """

    __slots__ = (
        "_second",
        "closes",
        "counters",
        "details",
        "duration_s",
        "end_s",
        "failures",
        "gauges",
        "histograms",
        "intervals",
        "names",
        "peaks",
        "start_s",
    )

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.intervals = 0
        """How many were added."""
        self._second = -1
        """That of the latest interval."""
        self.start_s = 0.0
        """Wall clock, seconds since the epoch: the earliest start; 0 before the first interval."""
        self.end_s = 0.0
        """Wall clock, seconds since the epoch: the latest end."""
        self.duration_s = 0.0
        """The time covered: overlapping intervals count once, gaps don't count."""
        self.histograms: dict[str, Histogram] = {}
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, int] = {}
        """The last value of each. What one of several processes sent too late for its second doesn't count: it has only
        the levels of that process."""
        self.peaks: dict[str, int] = {}
        """The highest value of each."""
        self.failures: Counter[tuple[str, str]] = Counter()
        self.details: dict[tuple[str, str], str] = {}
        """Of each kind of failure, the particulars of the first."""
        self.closes: Counter[int] = Counter()
        self.names: dict[str, Kind] = {}
        """What the user classes named, and what each is."""

    @classmethod
    def of(cls, intervals: Iterable[Interval]) -> Totals:
        totals = cls()
        for interval in intervals:
            totals.add(interval)
        return totals

    def add(self, interval: Interval) -> None:
        """Adds the next interval; it is copied, not kept."""
        if not interval:
            return
        end_s = interval.start_s + interval.length_s
        if not self.intervals:
            self.start_s = self.end_s = interval.start_s
        self.duration_s += min(interval.length_s, max(end_s - self.end_s, 0.0))
        self.start_s = min(self.start_s, interval.start_s)
        self.end_s = max(self.end_s, end_s)
        self.intervals += 1
        for metric, histogram in interval.histograms.items():
            _add(self.histograms, metric, histogram)
        count(self.counters, interval.counters)
        count(self.failures, interval.failures)
        count(self.closes, interval.closes)
        if interval.details:
            self.details = {**interval.details, **self.details}
        if interval.names:
            self.names = named((self.names, interval.names))
        if interval.second > self._second:
            self._second = interval.second
            self.gauges.update(interval.gauges)
        for name, level in interval.gauges.items():
            self.peaks[name] = max(level, self.peaks.get(name, level))
