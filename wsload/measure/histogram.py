"""HDR histograms on numpy counts.

The value at a percentile and the mean are those of the Java reference implementation (HdrHistogram 2.1.12,
``AbstractHistogram.java``). Those of ``hdrh`` are not used: its percentiles round half up instead of taking the
ceiling, its statistics iterate in Python, and constructing one of its objects costs as much as the whole encoding.

All values are integers, in nanoseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wsload.measure import encoding
from wsload.measure.layout import (
    HALF,
    HALF_BITS,
    HIGH,
    LENGTH,
    LOW,
    MIDDLE,
    TRACKABLE_NS,
    UNIT_BITS,
    edges,
    indexes,
)

_NOTHING: Final[NDArray[np.int64]] = np.zeros(0, dtype=np.int64)


class Histogram:
    """Counts of values in ns, in the HDR layout of 1 µs to an hour with three digits.

    It keeps the buckets up to the highest in use, a fraction of all `LENGTH` for most; one that was read keeps only
    those that are not empty, until it is added to. ``overflow`` counts values that were negative or above
    `TRACKABLE_NS`, and so are in no bucket. Merging is associative and commutative, and the empty histogram is its
    identity.
    """

    __slots__ = ("_counts", "_few", "overflow", "total")

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = _NOTHING
        self._few: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
        """Indices and counts of the buckets that are not empty; the counts are then still to be made of them."""
        self.total = 0
        self.overflow = 0

    @classmethod
    def of(cls, values: Iterable[int]) -> Histogram:
        """A histogram of these values (ns)."""
        histogram = cls()
        histogram.record(list(values))
        return histogram

    @classmethod
    def at(cls, places: NDArray[np.int64], counts: NDArray[np.int64]) -> Histogram:
        """A histogram of these counts above 0, at rising places; see `filled`."""
        histogram = cls()
        if len(places):
            histogram._few = (places, counts)
            histogram.total = int(counts.sum())
        return histogram

    @property
    def counts(self) -> NDArray[np.int64]:
        """The counts, from the lowest bucket to the highest in use or some above it."""
        if self._few is not None:
            (places, counts), self._few = self._few, None
            self.reach(int(places[-1]) + 1)[places] = counts
        return self._counts

    def filled(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where in ``counts`` the buckets are that are not empty, and their counts; both of shape (n,)."""
        if self._few is not None:
            return self._few
        places = (self._counts != 0).nonzero()[0]  # five times as fast as on the counts themselves
        return places, self._counts[places]

    def slim(self) -> Histogram:
        """A copy that keeps only the buckets that are not empty."""
        twin = Histogram.at(*self.filled())
        twin.overflow = self.overflow
        return twin

    def reach(self, length: int) -> NDArray[np.int64]:
        """The counts, made to hold at least this many buckets."""
        counts = self.counts
        if length > len(counts):
            self._counts = np.zeros(-(-length // HALF) * HALF, dtype=np.int64)
            self._counts[: len(counts)] = counts
        return self._counts

    def record(self, values: Sequence[int]) -> None:
        """Adds values in ns (about 20 ns per value); those out of range are counted in ``overflow``."""
        if not values:
            return
        try:
            array = np.array(values, dtype=np.int64)
        except OverflowError:  # beyond 64 bits: a forged timestamp
            array = np.array([value if 0 <= value <= TRACKABLE_NS else -1 for value in values])
        inside = array[(array >= 0) & (array <= TRACKABLE_NS)]
        self.overflow += len(array) - len(inside)
        if len(inside):
            found = np.bincount(indexes(inside))
            self.reach(len(found))[: len(found)] += found
            self.total += len(inside)

    def add(self, other: Histogram) -> None:
        if other._few is not None:
            places, counts = other._few
            self.reach(int(places[-1]) + 1)[places] += counts
        else:
            self.reach(len(other._counts))[: len(other._counts)] += other._counts
        self.total += other.total
        self.overflow += other.overflow

    def subtract(self, part: Histogram) -> None:
        """Takes away values that this one holds."""
        if part._few is not None:
            places, counts = part._few
            self.reach(int(places[-1]) + 1)[places] -= counts
        else:
            self.reach(len(part._counts))[: len(part._counts)] -= part._counts
        self.total -= part.total
        self.overflow -= part.overflow

    def copy(self) -> Histogram:
        twin = Histogram()
        twin._few, twin._counts = self._few, self._counts.copy()
        twin.total, twin.overflow = self.total, self.overflow
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        length = max(len(self.counts), len(other.counts))
        return self.overflow == other.overflow and np.array_equal(self.reach(length), other.reach(length))

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<Histogram of {self.total} values, max {self.max_ns} ns>"

    @property
    def min_ns(self) -> int:
        """The lower edge of the smallest value's bucket (0 when empty)."""
        found = np.flatnonzero(self.counts)
        return int(LOW[found[0]]) if len(found) else 0

    @property
    def max_ns(self) -> int:
        """The upper edge of the largest value's bucket (0 when empty), as the reference reports it."""
        found = np.flatnonzero(self.counts)
        return int(HIGH[found[-1]]) if len(found) else 0

    @property
    def mean_ns(self) -> float:
        """The mean of the bucket middles (0.0 when empty), as the reference computes it."""
        if not self.total:
            return 0.0
        return float(np.einsum("i,i", self.counts, MIDDLE[: len(self.counts)])) / self.total

    @property
    def deviation_ns(self) -> float:
        """The standard deviation of the bucket middles (0.0 when empty)."""
        if not self.total:
            return 0.0
        squares = (MIDDLE[: len(self.counts)] - self.mean_ns) ** 2
        return math.sqrt(float(np.einsum("i,i", self.counts, squares)) / self.total)

    def percentiles(self, wanted: Sequence[float]) -> list[int]:
        """The values in ns at these percentiles (0 to 100); zeros when empty.

        The value is the upper edge of the bucket with the percentile's `rank` (for percentile 0 its lower edge).
        """
        if not self.total:
            return [0] * len(wanted)
        places = np.searchsorted(np.cumsum(self.counts), [rank(each, self.total) for each in wanted])
        return [
            int(HIGH[place]) if percentile else int(LOW[place])
            for percentile, place in zip(wanted, places, strict=True)
        ]

    def at_rank(self, rank: int) -> int:
        """The value in ns of the rank-th smallest, from 1 to ``total``: its bucket's upper edge."""
        return int(HIGH[np.searchsorted(np.cumsum(self.counts), rank)])

    def percentile(self, wanted: float) -> int:
        """The value in ns at one percentile; see `percentiles`."""
        return self.percentiles([wanted])[0]

    def count_above(self, value_ns: int) -> int:
        """How many values lie in buckets above the one that holds ``value_ns``."""
        place = int(indexes(np.array([min(max(value_ns, 0), TRACKABLE_NS)]))[0])
        return int(self.counts[place + 1 :].sum())

    def buckets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The upper edges (ns) and counts of the non-empty buckets; both of shape (n,)."""
        found = np.flatnonzero(self.counts)
        return HIGH[found], self.counts[found]

    def encode(self) -> bytes:
        """The V2 compressed encoding in base64, as in a histogram log; ``overflow`` is not part of it."""
        return encoding.encode(self.counts)

    @classmethod
    def decode(cls, encoded: bytes | str) -> Histogram:
        """Reads what `encode` wrote; values of another HDR layout are recorded into this one.

        Raises `ValueError` for anything that is not a V2 histogram, or is unreasonably large.
        """
        shape, counts = encoding.decode(encoded)
        found = (counts != 0).nonzero()[0]  # five times as fast as on the counts themselves
        if shape[:2] == (UNIT_BITS, HALF_BITS) and shape[2] <= LENGTH:  # that ends at another value, perhaps
            return cls.at(found, counts[found])
        histogram = cls()
        values = edges(found, *shape[:2])[0]
        inside = values <= TRACKABLE_NS
        np.add.at(histogram.reach(LENGTH), indexes(values[inside]), counts[found[inside]])
        histogram.overflow = int(counts[found[~inside]].sum())
        histogram.total = int(histogram.counts.sum())
        return histogram


def rank(percentile: float, total: int) -> int:
    """The rank, from 1, of a percentile (0 to 100) among ``total`` values.

    The ceiling of ``percentile · total / 100``, computed just below the percentile asked for, as in
    ``AbstractHistogram.getValueAtPercentile`` of HdrHistogram's Java implementation.
    """
    just_below = min(max(math.nextafter(percentile, -math.inf), 0.0), 100.0)
    return max(math.ceil(just_below * total / 100), 1)


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of any number of histograms; empty for none."""
    total = Histogram()
    for histogram in histograms:
        total.add(histogram)
    return total
