"""Distributions over a whole run: percentile curves, and the phases of the time to open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wsload.measure.histogram import Histogram

_TICKS: Final = 5
GRID: Final = tuple(
    sorted(
        {100 * (1 - 2 ** (-k / _TICKS)) for k in range(17 * _TICKS)}
        | {25.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999}
    )
)
"""Percentiles evenly spaced on a logarithmic axis of 1 - p, five per halving, and the usual ones."""

PHASES: Final = ("open.redirect", "open.dns", "open.tcp", "open.tls", "open.upgrade")
"""Consecutive parts of ``open``: the way to the final address, and then there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A distribution by its percentiles, from 0 to the maximum."""

    count: int
    percentiles: tuple[float, ...]
    """Evenly spaced on a logarithmic axis of 1 - p."""
    values_ns: tuple[int, ...]


def shape(histogram: Histogram) -> Shape:
    """The percentile curve; empty for an empty histogram.

    The last point is the maximum, at the percentile beyond which there is only one value.
    """
    if not histogram.total:
        return Shape(count=0, percentiles=(), values_ns=())
    last = 100 - 100 / histogram.total
    percentiles = (*(p for p in GRID if p < last), last)
    return Shape(
        count=histogram.total,
        percentiles=percentiles,
        values_ns=(*histogram.percentiles(percentiles[:-1]), histogram.max_ns),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The mean time to open and its parts, in ns. Means add up, unlike percentiles."""

    phases: Mapping[str, float]
    """By metric, in order; phases that no opening had are absent."""
    waiting_ns: float
    """The rest of ``open``: a late start, and waiting between attempts."""


def opening(histograms: Mapping[str, Histogram]) -> Opening:
    """How the mean of ``open`` divides into its phases.

    A phase that only some openings had (redirects, name resolution, TLS) is weighted with their share. The
    histograms also hold the phases of failed openings, which are assumed to be similar.
    """
    whole = histograms.get("open", Histogram())
    phases = {}
    for metric in PHASES:
        histogram = histograms.get(metric, Histogram())
        if histogram.total:
            share = min(histogram.total / whole.total, 1.0) if whole.total else 1.0
            phases[metric] = histogram.mean_ns * share
    return Opening(phases=phases, waiting_ns=max(whole.mean_ns - sum(phases.values()), 0.0))
