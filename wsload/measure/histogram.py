"""HDR histograms on numpy counts: the only module that imports ``hdrh``.

The bucket layout, the value at a percentile and the mean are those of the Java reference
implementation (HdrHistogram 2.1.12, ``AbstractHistogram.java``). Only the C routines
of ``hdrh`` for the V2 encoding's variable-length numbers are used: its percentiles round half up instead of taking the
ceiling, its statistics iterate in Python, and constructing one of its objects costs as much as the whole encoding.

All values are integers, in nanoseconds.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from hdrh.codec import decode as decode_varints
from hdrh.codec import encode as encode_varints
from numpy.typing import NDArray

LOWEST_NS: Final = 1_000
"""The lowest value that is distinguished from 0; the smallest buckets are 512 ns wide."""
HIGHEST_NS: Final = 60_000_000_000
"""The highest value that the layout must hold, one minute; rounding up makes it `TRACKABLE_NS`."""
DIGITS: Final = 3
"""Significant decimal digits kept: a recorded value is off by at most 0.1 % (or 512 ns)."""

_UNIT_BITS: Final = int(math.log2(LOWEST_NS))
_SUB_BITS: Final = math.ceil(math.log2(2 * 10**DIGITS))
_HALF_BITS: Final = _SUB_BITS - 1
_HALF: Final = 1 << _HALF_BITS
SUB_BUCKETS: Final = 2 * _HALF
BUCKETS: Final = (HIGHEST_NS >> (_UNIT_BITS + _SUB_BITS)).bit_length() + 1
"""Number of buckets, in the reference's terms, as its tools print it."""
LENGTH: Final = (BUCKETS + 1) * _HALF
"""Number of counts in the array."""
TRACKABLE_NS: Final = (1 << (_UNIT_BITS + _SUB_BITS + BUCKETS - 1)) - 1
"""The largest value that has a bucket; anything above is out of range."""

MAX_ENCODED_BYTES: Final = 1 << 20
"""An encoded histogram longer than this is refused: a full one of this layout is under 170 kB."""
_MAX_LENGTH: Final = 1 << 20
_MAX_COUNT: Final = 1 << 40

_COOKIE: Final = 0x1C849303 | 0x10
_COMPRESSED_COOKIE: Final = 0x1C849304 | 0x10
_ENVELOPE: Final = struct.Struct(">II")
"""Cookie, length of what follows."""
_HEADER: Final = struct.Struct(">IIIIQQd")
"""Cookie, length of the counts, normalizing offset, digits, lowest, highest, conversion ratio."""
_MAX_VARINT: Final = 9


def _edges(
    index: NDArray[np.int64], unit_bits: int, half_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lower edges and widths of a layout's buckets at these indices."""
    half = 1 << half_bits
    shift = np.maximum((index >> half_bits) - 1, 0) + unit_bits
    low = np.where(index < 2 * half, index, (index & (half - 1)) + half) << shift
    return low, np.int64(1) << shift


_LOW, _SIZE = _edges(np.arange(LENGTH, dtype=np.int64), _UNIT_BITS, _HALF_BITS)
_HIGH = _LOW + _SIZE - 1
_MIDDLE = (_LOW + (_SIZE >> 1)).astype(np.float64)
_NOTHING: Final[NDArray[np.int64]] = np.zeros(0, dtype=np.int64)


def _indexes(values: NDArray[np.int64]) -> NDArray[np.int64]:
    units = values >> _UNIT_BITS
    # frexp is exact here: every unit count is far below 2**53.
    bits = np.frexp(units.astype(np.float64))[1].astype(np.int64)
    bucket = np.maximum(bits - _SUB_BITS, 0)
    return (bucket << _HALF_BITS) + (units >> bucket)


class Histogram:
    """Counts of values in ns, in the HDR layout of 1 µs to 60 s with three digits.

    ``counts`` ends, in steps of `_HALF`, with the highest bucket in use: most need a fraction of all `LENGTH`.
    ``overflow`` counts values that were negative or above `TRACKABLE_NS`, and so are in no bucket. Merging is
    associative and commutative, and the empty histogram is its identity.
    """

    __slots__ = ("counts", "overflow", "total")

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = _NOTHING
        self.total = 0
        self.overflow = 0

    @classmethod
    def of(cls, values: Iterable[int]) -> Histogram:
        """A histogram of these values (ns)."""
        histogram = cls()
        histogram.record(list(values))
        return histogram

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
            found = np.bincount(_indexes(inside))
            self.reach(len(found))[: len(found)] += found
            self.total += len(inside)

    def reach(self, length: int) -> NDArray[np.int64]:
        """The counts, made to hold at least this many buckets."""
        if length > len(self.counts):
            longer = np.zeros(-(-length // _HALF) * _HALF, dtype=np.int64)
            longer[: len(self.counts)] = self.counts
            self.counts = longer
        return self.counts

    def add(self, other: Histogram) -> None:
        self.reach(len(other.counts))[: len(other.counts)] += other.counts
        self.total += other.total
        self.overflow += other.overflow

    def subtract(self, part: Histogram) -> None:
        """Takes away the counts of values that this one holds."""
        self.reach(len(part.counts))[: len(part.counts)] -= part.counts
        self.total -= part.total

    def copy(self) -> Histogram:
        twin = Histogram()
        twin.add(self)
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
        return int(_LOW[found[0]]) if len(found) else 0

    @property
    def max_ns(self) -> int:
        """The upper edge of the largest value's bucket (0 when empty), as the reference reports it."""
        found = np.flatnonzero(self.counts)
        return int(_HIGH[found[-1]]) if len(found) else 0

    @property
    def mean_ns(self) -> float:
        """The mean of the bucket middles (0.0 when empty), as the reference computes it."""
        if not self.total:
            return 0.0
        return float(np.einsum("i,i", self.counts, _MIDDLE[: len(self.counts)])) / self.total

    @property
    def deviation_ns(self) -> float:
        """The standard deviation of the bucket middles (0.0 when empty)."""
        if not self.total:
            return 0.0
        squares = (_MIDDLE[: len(self.counts)] - self.mean_ns) ** 2
        return math.sqrt(float(np.einsum("i,i", self.counts, squares)) / self.total)

    def percentiles(self, wanted: Sequence[float]) -> list[int]:
        """The values in ns at these percentiles (0 to 100); zeros when empty.

        The rank is the ceiling of ``percentile · total / 100``, computed just below the percentile asked for, and the
        value is the upper edge of the bucket with that rank (for percentile 0 its lower edge), as in
        ``AbstractHistogram.getValueAtPercentile`` of the Java reference.
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

    def at_rank(self, rank: int) -> int:
        """The value in ns of the rank-th smallest, from 1 to ``total``: its bucket's upper edge."""
        return int(_HIGH[np.searchsorted(np.cumsum(self.counts), rank)])

    def percentile(self, wanted: float) -> int:
        """The value in ns at one percentile; see `percentiles`."""
        return self.percentiles([wanted])[0]

    def count_above(self, value_ns: int) -> int:
        """How many values lie in buckets above the one that holds ``value_ns``."""
        place = int(_indexes(np.array([min(max(value_ns, 0), TRACKABLE_NS)]))[0])
        return int(self.counts[place + 1 :].sum())

    def buckets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The upper edges (ns) and counts of the non-empty buckets; both of shape (n,)."""
        found = np.flatnonzero(self.counts)
        return _HIGH[found], self.counts[found]

    def encode(self) -> bytes:
        """The V2 compressed encoding (zlib) in base64, as in a histogram log; takes about 0.1 ms.

        ``overflow`` is not part of the format.
        """
        used = len(self.counts) - int(np.argmax(self.counts[::-1] > 0)) if self.total else 0
        buffer = np.empty(_HEADER.size + used * _MAX_VARINT, dtype=np.uint8)
        size = encode_varints(
            self.counts.ctypes.data, used, 8, buffer.ctypes.data + _HEADER.size, used * _MAX_VARINT
        )
        _HEADER.pack_into(buffer.data, 0, _COOKIE, size, 0, DIGITS, LOWEST_NS, HIGHEST_NS, 1.0)
        # Level 4 takes half the time of the default for the same size.
        packed = zlib.compress(buffer[: _HEADER.size + size].data, 4)
        return base64.b64encode(_ENVELOPE.pack(_COMPRESSED_COOKIE, len(packed)) + packed)

    @classmethod
    def decode(cls, encoded: bytes | str) -> Histogram:
        """Reads what `encode` wrote, in about 0.06 ms; values of another HDR layout are recorded into this one.

        Raises `ValueError` for anything that is not a V2 histogram, or is unreasonably large.
        """
        if len(encoded) > MAX_ENCODED_BYTES:
            raise ValueError("too long for a histogram")
        try:
            payload = _unpacked(base64.b64decode(encoded, validate=True))
            cookie, size, offset, digits, lowest, highest, _ = _HEADER.unpack_from(payload)
        except (struct.error, zlib.error) as error:
            raise ValueError(f"not an encoded histogram ({error})") from error
        if cookie != _COOKIE or size != len(payload) - _HEADER.size or offset:
            raise ValueError("not a V2 histogram")
        unit_bits, half_bits, length = _layout(lowest, highest, digits)
        counts: NDArray[np.int64] = np.zeros(length, dtype=np.int64)
        try:
            found = decode_varints(payload, _HEADER.size, counts.ctypes.data, length, 8)
        except (IndexError, OverflowError) as error:
            raise ValueError(f"damaged counts ({error})") from error
        counts = counts[: (found["max_nonzero_index"] // _HALF + 1) * _HALF]
        if len(counts) and counts.max() > _MAX_COUNT:
            raise ValueError("unreasonable counts")
        histogram = cls()
        if (unit_bits, half_bits, length) == (_UNIT_BITS, _HALF_BITS, LENGTH):
            histogram.counts = counts.copy()
        else:
            found = np.flatnonzero(counts)
            values = _edges(found, unit_bits, half_bits)[0]
            inside = values <= TRACKABLE_NS
            np.add.at(histogram.reach(LENGTH), _indexes(values[inside]), counts[found[inside]])
            histogram.overflow = int(counts[found[~inside]].sum())
        histogram.total = int(histogram.counts.sum())
        return histogram


def _unpacked(data: bytes) -> bytes:
    cookie, size = _ENVELOPE.unpack_from(data)
    if cookie != _COMPRESSED_COOKIE or size != len(data) - _ENVELOPE.size:
        raise ValueError("not a compressed V2 histogram")
    decompressor = zlib.decompressobj()
    payload = decompressor.decompress(data[_ENVELOPE.size :], MAX_ENCODED_BYTES)
    if not decompressor.eof:
        raise ValueError("cut short, or too long for a histogram")
    return payload


def _layout(lowest: int, highest: int, digits: int) -> tuple[int, int, int]:
    """Unit bits, half bits and number of counts of an encoding's layout."""
    if not (1 <= digits <= 5 and 1 <= lowest <= highest // 2):
        raise ValueError("an impossible histogram layout")
    unit_bits = lowest.bit_length() - 1
    sub_bits = math.ceil(math.log2(2 * 10**digits))
    buckets = (highest >> (unit_bits + sub_bits)).bit_length() + 1
    length = (buckets + 1) << (sub_bits - 1)
    if length > _MAX_LENGTH or unit_bits + sub_bits + buckets > 63:
        raise ValueError("too many buckets")
    return unit_bits, sub_bits - 1, length


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of any number of histograms; empty for none."""
    total = Histogram()
    for histogram in histograms:
        total.add(histogram)
    return total
