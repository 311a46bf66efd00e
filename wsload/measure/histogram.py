"""HDR histograms on numpy counts: the only module that imports ``hdrh``.

The bucket layout, the value at a percentile and the mean are those of the Java reference
implementation (HdrHistogram 2.1.12, ``AbstractHistogram.java``); ``hdrh`` is used for the V2
compressed encoding only, since its own percentiles round half up instead of taking the ceiling
and its statistics iterate in Python.

All values are integers of nanoseconds.
"""

from __future__ import annotations

import base64
import ctypes
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

LOWEST_NS: Final = 1_000
"""Values are told apart from this size up; the unit of the smallest buckets is 512 ns."""
HIGHEST_NS: Final = 60_000_000_000
"""The range asked for: one minute. The layout tracks up to `TRACKABLE_NS`."""
DIGITS: Final = 3
"""Significant decimal digits kept: a recorded value is off by at most 0.1 % (or 512 ns)."""

_UNIT_BITS: Final = int(math.log2(LOWEST_NS))
_SUB_BITS: Final = math.ceil(math.log2(2 * 10**DIGITS))
_HALF_BITS: Final = _SUB_BITS - 1
_HALF: Final = 1 << _HALF_BITS
_BUCKETS: Final = (HIGHEST_NS >> (_UNIT_BITS + _SUB_BITS)).bit_length() + 1
LENGTH: Final = (_BUCKETS + 1) * _HALF
"""Number of counts in the array."""
TRACKABLE_NS: Final = (1 << (_UNIT_BITS + _SUB_BITS + _BUCKETS - 1)) - 1
"""The largest value with a bucket of its own; anything above is out of range."""

_INDEX = np.arange(LENGTH, dtype=np.int64)
_SHIFT = np.maximum((_INDEX >> _HALF_BITS) - 1, 0)
_LOW = np.where(_INDEX < 2 * _HALF, _INDEX, (_INDEX & (_HALF - 1)) + _HALF) << (_SHIFT + _UNIT_BITS)
_SIZE = np.int64(1) << (_SHIFT + _UNIT_BITS)
_HIGH = _LOW + _SIZE - 1
_MIDDLE = (_LOW + (_SIZE >> 1)).astype(np.float64)

MAX_ENCODED_BYTES: Final = 1 << 20
"""An encoded histogram longer than this is refused: a full one of our layout is under 170 KB."""


def _indexes(values: NDArray[np.int64]) -> NDArray[np.int64]:
    units = values >> _UNIT_BITS
    # frexp is exact here: every unit count is far below 2**53.
    bits = np.frexp(units.astype(np.float64))[1].astype(np.int64)
    bucket = np.maximum(bits - _SUB_BITS, 0)
    return (bucket << _HALF_BITS) + (units >> bucket)


class Histogram:
    """Counts of values in ns, in the HDR layout of 1 µs to 60 s at three digits.

    ``counts`` has shape ``(LENGTH,)``; ``overflow`` counts the values that were negative or above
    `TRACKABLE_NS` and so are in no bucket. Merging is associative and commutative, and the empty
    histogram is its identity.
    """

    __slots__ = ("counts", "overflow", "total")

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(LENGTH, dtype=np.int64)
        self.total = 0
        self.overflow = 0

    @classmethod
    def of(cls, values: Iterable[int]) -> Histogram:
        """A histogram of these values (ns)."""
        histogram = cls()
        histogram.record(list(values))
        return histogram

    def record(self, values: Sequence[int]) -> None:
        """Adds values in ns, all at once (about 20 ns a value); those out of range are counted."""
        if not values:
            return
        array = np.array(values, dtype=np.int64)
        inside = array[(array >= 0) & (array <= TRACKABLE_NS)]
        self.overflow += len(array) - len(inside)
        if len(inside):
            found = np.bincount(_indexes(inside))
            self.counts[: len(found)] += found
            self.total += len(inside)

    def add(self, other: Histogram) -> None:
        """Adds the other histogram's counts to this one."""
        self.counts += other.counts
        self.total += other.total
        self.overflow += other.overflow

    def copy(self) -> Histogram:
        twin = Histogram()
        twin.add(self)
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.overflow == other.overflow and bool(np.array_equal(self.counts, other.counts))

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<Histogram of {self.total} values, max {self.max_ns} ns>"

    @property
    def min_ns(self) -> int:
        """The smallest value's bucket, its lower edge (0 when empty)."""
        found = np.flatnonzero(self.counts)
        return int(_LOW[found[0]]) if len(found) else 0

    @property
    def max_ns(self) -> int:
        """The largest value's bucket, its upper edge (0 when empty), as the reference reports it."""
        found = np.flatnonzero(self.counts)
        return int(_HIGH[found[-1]]) if len(found) else 0

    @property
    def mean_ns(self) -> float:
        """The mean of the bucket middles (0.0 when empty), as the reference computes it."""
        return float(self.counts @ _MIDDLE) / self.total if self.total else 0.0

    @property
    def deviation_ns(self) -> float:
        """The standard deviation of the bucket middles (0.0 when empty)."""
        if not self.total:
            return 0.0
        return math.sqrt(float(self.counts @ (_MIDDLE - self.mean_ns) ** 2) / self.total)

    def percentiles(self, wanted: Sequence[float]) -> list[int]:
        """The values in ns at these percentiles (0 to 100); zeros when empty.

        The rank is the ceiling of ``percentile · total / 100`` computed just below the percentile
        asked for, and the value the upper edge of the bucket that holds that rank (its lower edge
        for percentile 0): ``AbstractHistogram.getValueAtPercentile`` of the Java reference.
        """
        if not self.total:
            return [0] * len(wanted)
        ranks = [
            max(math.ceil(min(max(math.nextafter(p, -math.inf), 0.0), 100.0) * self.total / 100), 1)
            for p in wanted
        ]
        places = np.searchsorted(np.cumsum(self.counts), ranks)
        return [
            int(_HIGH[place]) if percentile else int(_LOW[place])
            for percentile, place in zip(wanted, places, strict=True)
        ]

    def percentile(self, wanted: float) -> int:
        """The value in ns at one percentile; see `percentiles`."""
        return self.percentiles([wanted])[0]

    def count_above(self, value_ns: int) -> int:
        """How many values lie in buckets above the one that holds ``value_ns``."""
        place = int(_indexes(np.array([min(max(value_ns, 0), TRACKABLE_NS)]))[0])
        return int(self.counts[place + 1 :].sum())

    def buckets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The upper edges (ns) and the counts of the buckets that are not empty; both shape (n,)."""
        found = np.flatnonzero(self.counts)
        return _HIGH[found], self.counts[found]

    def encode(self) -> bytes:
        """The V2 compressed form (zlib), base64-encoded: what a histogram log line carries."""
        twin = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
        if self.total:
            ctypes.memmove(twin.counts, self.counts.ctypes.data, self.counts.nbytes)
            twin.total_count = self.total
            twin.max_value = self.max_ns
        encoded: bytes = twin.encode()
        return encoded

    @classmethod
    def decode(cls, encoded: bytes | str) -> Histogram:
        """The histogram that `encode` wrote; another HDR layout is re-recorded into this one.

        Raises `ValueError` for anything that is not a V2 histogram, or is unreasonably large.
        """
        try:
            if len(encoded) > MAX_ENCODED_BYTES:
                raise ValueError("longer than a histogram can be")
            _refuse_bomb(base64.b64decode(encoded, validate=True)[8:])
            twin = HdrHistogram.decode(encoded)
        except ValueError:
            raise
        except Exception as error:  # hdrh lets struct, zlib and its own errors through
            raise ValueError(f"not an encoded histogram ({type(error).__name__})") from error
        histogram = cls()
        counts = np.ctypeslib.as_array(twin.counts).astype(np.int64)
        if (counts < 0).any():
            raise ValueError("negative counts")
        same = (twin.unit_magnitude, twin.sub_bucket_half_count) == (_UNIT_BITS, _HALF)
        if same and len(counts) == LENGTH:
            histogram.counts = counts
        else:
            for index in np.flatnonzero(counts):
                value = twin.get_value_from_index(int(index))
                if value > TRACKABLE_NS:
                    histogram.overflow += int(counts[index])
                else:
                    histogram.counts[_indexes(np.array([value]))[0]] += counts[index]
        histogram.total = int(histogram.counts.sum())
        return histogram


def _refuse_bomb(compressed: bytes) -> None:
    decompressor = zlib.decompressobj()
    decompressor.decompress(compressed, MAX_ENCODED_BYTES)
    if decompressor.unconsumed_tail:
        raise ValueError("an encoded histogram that unpacks to more than a histogram can be")


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of any number of histograms; empty for none."""
    total = Histogram()
    for histogram in histograms:
        total.add(histogram)
    return total
