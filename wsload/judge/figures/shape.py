"""Shapes of a whole run: the percentile curve, and where the time to open went."""

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
"""Percentiles spaced evenly on the logarithmic axis of nines, five to each halving of the rest."""

PHASES: Final = ("open.dns", "open.tcp", "open.tls", "open.upgrade")
"""One after the other, inside ``open``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A distribution by its percentiles, from 0 to the last that still has a value beyond, and 100."""

    count: int
    percentiles: tuple[float, ...]
    """Evenly spaced on the axis of nines."""
    values_ns: tuple[int, ...]


def shape(histogram: Histogram) -> Shape:
    """The percentile curve; empty for an empty histogram.

    The last point is the maximum, at the percentile at which only that one value is left.
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
    """The mean time to open, in its parts: means add up, as percentiles do not. All in ns."""

    phases: Mapping[str, float]
    """By metric, in their order; one that no opening had is absent."""
    waiting_ns: float
    """What is left of ``open``: a late start, and the waits between attempts."""


def opening(histograms: Mapping[str, Histogram]) -> Opening:
    """How the mean of ``open`` divides into its phases.

    A phase that only some openings had (no name to resolve, no TLS) counts for those. Phases of
    openings that failed are in their histograms too: they are taken to be like the others.
    """
    whole = histograms.get("open", Histogram())
    phases = {}
    for metric in PHASES:
        histogram = histograms.get(metric, Histogram())
        if histogram.total:
            share = min(histogram.total / whole.total, 1.0) if whole.total else 1.0
            phases[metric] = histogram.mean_ns * share
    return Opening(phases=phases, waiting_ns=max(whole.mean_ns - sum(phases.values()), 0.0))
