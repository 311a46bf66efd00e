"""Canary: what wsload needs of `hdrh` beyond its documentation is still there, and does that."""

from __future__ import annotations

import numpy as np
import pytest
from canary import needed

from wsload.measure import compat


def test_counts_are_written_as_the_format_says_and_read_again() -> None:
    with needed("hdrhistogram", "hdrh.codec.encode and .decode", "to write and read histograms in time"):
        counts = np.array([3, 0, 0, 0, 1 << 40, 1], dtype=np.int64)
        buffer = np.zeros(4 + 9 * len(counts), dtype=np.uint8)
        size = compat.encode_varints(counts, buffer[4:])
        # ZigZag numbers in groups of 7 bits; a negative one is so many zeros.
        expected = bytes([6, 5, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 2])
        assert bytes(buffer[4 : 4 + size]) == expected and not any(buffer[:4]) and not any(buffer[4 + size :])
        assert compat.encode_varints(counts[:0], buffer[:0]) == 0
        found = np.zeros(10, dtype=np.int64)
        assert compat.decode_varints(b"head" + expected, 4, found) == len(counts)
        assert found.tolist() == [*counts.tolist(), 0, 0, 0, 0]
        with pytest.raises((IndexError, OverflowError)):
            compat.decode_varints(expected, 0, found[:5])
