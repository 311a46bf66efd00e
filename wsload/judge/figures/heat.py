"""The heat map: counts by time and latency. It shows what percentiles hide, such as several modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_COLUMNS: Final = 200
ROWS_PER_DECADE: Final = 16
"""The upper edge of a row is 15 % above its lower edge."""

Buckets = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Upper edges in ns and counts, as returned by `wsload.measure.histogram.Histogram.buckets`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """The number of values in each cell of time and latency; empty cells are absent."""

    width_s: float
    """Length of a column."""
    at_s: tuple[float, ...] = ()
    """Start of each column, on the time axis of its slots."""
    cells: tuple[tuple[tuple[int, int], ...], ...] = ()
    """For each column its (row, count), ordered by row. Row 0 starts at 1 ns; on a log axis all are equally high."""


def heat_map(slots: Sequence[Buckets | None], at_s: Sequence[float], width_s: float) -> Heat:
    """The heat map of consecutive slots; if there are too many, neighbours share a column.

    ``at_s`` holds each slot's start, ``width_s`` the length of a slot.
    """
    merge = 1
    while len({at // (width_s * merge) for at in at_s}) > MAX_COLUMNS:
        merge += 1
    column_s = width_s * merge
    columns: dict[float, dict[int, int]] = {}
    for buckets, at in zip(slots, at_s, strict=True):
        if buckets is None:
            continue
        column = columns.setdefault(at // column_s * column_s, {})
        edges, counts = buckets
        rows = np.floor(ROWS_PER_DECADE * np.log10(edges)).astype(np.int64)
        found, first = np.unique(rows, return_index=True)
        for row, count in zip(found.tolist(), np.add.reduceat(counts, first).tolist(), strict=True):
            column[row] = column.get(row, 0) + count
    return Heat(
        width_s=column_s,
        at_s=tuple(columns),
        cells=tuple(tuple(sorted(column.items())) for column in columns.values()),
    )
