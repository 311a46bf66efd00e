"""What wsload uses of ``hdrh`` without its documentation promising it: its C routines for variable-length numbers.

The canary in tests/unit/test_compat_measure.py names the version when a release changes them.
"""

from __future__ import annotations

import numpy as np
from hdrh.codec import decode, encode
from numpy.typing import NDArray


def encode_varints(counts: NDArray[np.int64], buffer: NDArray[np.uint8]) -> int:
    """Writes the counts to the buffer as numbers of variable length; returns how many bytes they take."""
    size: int = encode(counts.ctypes.data, len(counts), counts.itemsize, buffer.ctypes.data, len(buffer))
    return size


def decode_varints(payload: bytes, start: int, counts: NDArray[np.int64]) -> int:
    """Decodes numbers, from ``start`` on, into zeroed counts; returns how many there are up to the last nonzero one.

    Raises `IndexError` or `OverflowError` for what was not encoded, or does not fit.
    """
    found = decode(payload, start, counts.ctypes.data, len(counts), counts.itemsize)
    return int(found["max_nonzero_index"]) + 1
