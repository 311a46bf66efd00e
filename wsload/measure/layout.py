"""The layout of the histograms' buckets, as in the Java reference implementation (HdrHistogram 2.1.12).

All values are integers, in nanoseconds.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

LOWEST_NS: Final = 1_000
"""The lowest value that is distinguished from 0; the smallest buckets are 512 ns wide."""
HIGHEST_NS: Final = 3_600_000_000_000
"""The highest value that the layout must hold, one hour; rounding up makes it `TRACKABLE_NS`, 73 minutes."""
DIGITS: Final = 3
"""Significant decimal digits kept: a recorded value is off by at most 0.1 % (or 512 ns)."""

UNIT_BITS: Final = int(math.log2(LOWEST_NS))
SUB_BITS: Final = math.ceil(math.log2(2 * 10**DIGITS))
HALF_BITS: Final = SUB_BITS - 1
HALF: Final = 1 << HALF_BITS
SUB_BUCKETS: Final = 2 * HALF
BUCKETS: Final = (HIGHEST_NS >> (UNIT_BITS + SUB_BITS)).bit_length() + 1
"""Number of buckets, in the reference's terms, as its tools print it."""
LENGTH: Final = (BUCKETS + 1) * HALF
"""Number of counts in the array."""
TRACKABLE_NS: Final = (1 << (UNIT_BITS + SUB_BITS + BUCKETS - 1)) - 1
"""The largest value that has a bucket; anything above is out of range."""

_MAX_LENGTH: Final = 1 << 20


def edges(
    index: NDArray[np.int64], unit_bits: int, half_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lower edges and widths of a layout's buckets at these indices."""
    half = 1 << half_bits
    shift = np.maximum((index >> half_bits) - 1, 0) + unit_bits
    low = np.where(index < 2 * half, index, (index & (half - 1)) + half) << shift
    return low, np.int64(1) << shift


LOW, SIZE = edges(np.arange(LENGTH, dtype=np.int64), UNIT_BITS, HALF_BITS)
HIGH = LOW + SIZE - 1
MIDDLE = (LOW + (SIZE >> 1)).astype(np.float64)


def indexes(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The buckets of these values (ns, from 0 to `TRACKABLE_NS`)."""
    units = values >> UNIT_BITS
    # frexp is exact here: every unit count is far below 2**53.
    bits = np.frexp(units.astype(np.float64))[1].astype(np.int64)
    bucket = np.maximum(bits - SUB_BITS, 0)
    return (bucket << HALF_BITS) + (units >> bucket)


@lru_cache(16)
def layout(lowest: int, highest: int, digits: int) -> tuple[int, int, int]:
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
