"""How sure one run is of its own percentiles: a block bootstrap over its seconds.

Latencies that follow each other are alike, so the usual intervals for a percentile, which take the
samples as independent, are several times too narrow. Resampling whole stretches of time keeps the
likeness within a stretch (circular block bootstrap: D. Politis & J. Romano, A circular block-
resampling procedure for stationary data, 1992). What it can't see is how runs differ from each
other: a second run of the same build may lie far outside the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wsload.measure.interval import Interval

SECOND_S: Final = 1.0
"""The shortest block."""
MOST_BLOCKS: Final = 200
"""A longer run is cut into so many blocks at most, each of several seconds."""
RESAMPLES: Final = 1_000
SEED: Final = 6455
"""The same runs give the same interval each time."""
_SLICE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """One metric of one run, cut into stretches of equal length, as bucket counts."""

    edges: NDArray[np.int64]
    """The upper edges of the buckets in ns, ascending, shape (buckets,)."""
    counts: NDArray[np.int64]
    """Values per stretch and bucket, shape (stretches, buckets)."""

    @property
    def filled(self) -> int:
        """The number of stretches that have any value."""
        return int(np.count_nonzero(self.counts.any(axis=1)))


def blocks_of(
    intervals: Iterable[Interval], metrics: Mapping[str, Sequence[str]], block_s: float = SECOND_S
) -> dict[str, Blocks]:
    """The run's blocks by metric; ``metrics`` names the histograms that make up each.

    Takes the intervals in order, one at a time, and keeps only their filled buckets. A block is
    at least ``block_s`` seconds long. A metric without values is absent.
    """
    rows: dict[str, list[dict[int, int]]] = {metric: [] for metric in metrics}
    filled_s = block_s
    for interval in intervals:
        if filled_s >= block_s * 0.99:  # an interval's length jitters about its second
            filled_s = 0.0
            for row in rows.values():
                row.append({})
        filled_s += interval.length_s
        for metric, parts in metrics.items():
            for part in parts:
                if part in interval.histograms:
                    _add(rows[metric][-1], *interval.histograms[part].buckets())
    return {metric: _dense(row) for metric, row in rows.items() if any(row)}


def _add(row: dict[int, int], edges: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    for edge, count in zip(edges.tolist(), counts.tolist(), strict=True):
        row[edge] = row.get(edge, 0) + count


def _dense(rows: list[dict[int, int]]) -> Blocks:
    width = -(-len(rows) // MOST_BLOCKS)
    edges = np.array(sorted({edge for row in rows for edge in row}), dtype=np.int64)
    counts = np.zeros((-(-len(rows) // width), len(edges)), dtype=np.int64)
    for number, row in enumerate(rows):
        places = np.searchsorted(edges, np.fromiter(row, dtype=np.int64, count=len(row)))
        counts[number // width, places] += np.fromiter(row.values(), dtype=np.int64, count=len(row))
    return Blocks(edges=edges, counts=counts)


def resampled(blocks: Blocks, percentiles: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """The percentiles in ns of `RESAMPLES` runs like this one, shape (RESAMPLES, percentiles).

    Stretches are drawn with replacement in rows of ``n ** (1/3)``, the last followed by the first:
    the length that suits the estimate of a variance (P. Hall, J. Horowitz & B.-Y. Jing, On blocking
    rules for the bootstrap with dependent data, Biometrika 82, 1995). Single seconds do worse: with
    latencies that stay alike for 1 s, a 95 % interval for the p99 of a minute held the truth in 78 %
    of cases, and in 84 % this way. Ranks follow the ceiling rule of `Histogram.percentiles`.
    """
    n = len(blocks.counts)
    length = max(round(n ** (1 / 3)), 1)
    starts = rng.integers(0, n, (RESAMPLES, -(-n // length), 1))
    drawn = ((starts + np.arange(length)) % n).reshape(RESAMPLES, -1)[:, :n]
    flat = (drawn + n * np.arange(RESAMPLES)[:, None]).ravel()
    weights = np.bincount(flat, minlength=RESAMPLES * n).reshape(RESAMPLES, n).astype(np.float64)
    counts = blocks.counts.astype(np.float64)  # exact up to 2**53 values, and faster than integers
    found = np.empty((RESAMPLES, len(percentiles)))
    for at in range(0, RESAMPLES, _SLICE):
        # Not "@": its threads wait for each other by spinning, 15 times slower on a busy machine.
        drawn_counts = np.einsum("rs,sb->rb", weights[at : at + _SLICE], counts)
        sums = np.cumsum(drawn_counts, axis=1)
        for column, percentile in enumerate(percentiles):
            rank = np.maximum(np.ceil(np.nextafter(percentile, -np.inf) / 100 * sums[:, -1]), 1)
            place = np.minimum((sums < rank[:, None]).sum(axis=1), len(blocks.edges) - 1)
            found[at : at + _SLICE, column] = blocks.edges[place]
    return found


def log_ratios(a: Blocks, b: Blocks, percentiles: Sequence[float]) -> NDArray[np.float64]:
    """Resampled logarithms of b's percentile over a's, shape (RESAMPLES, percentiles)."""
    of_a, of_b = (np.random.default_rng([SEED, side]) for side in (0, 1))
    difference: NDArray[np.float64] = np.log(resampled(b, percentiles, of_b)) - np.log(
        resampled(a, percentiles, of_a)
    )
    return difference
