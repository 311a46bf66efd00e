"""Shapes of a whole run: the percentile curve, and where the time to open went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wsload.analysis.curve import GRID
from wsload.measure.histogram import Histogram

PHASES: Final = ("open.dns", "open.tcp", "open.tls", "open.upgrade")
"""One after the other, inside ``open``."""
WAITING: Final = "waiting"
"""What is left of ``open``: a late start, and waits between attempts."""


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
class Phase:
    """One phase's part of the mean time to open."""

    name: str
    """The metric, or `WAITING`."""
    part_ns: float
    """Of the mean of ``open``: these add up to it, as no percentiles do."""


def phases(histograms: Mapping[str, Histogram]) -> tuple[Phase, ...]:
    """How the mean of ``open`` divides into its phases; empty where nothing was opened.

    A phase that only some openings had (no name to resolve, no TLS) counts for those. Phases of
    openings that failed are in their histograms too: they are taken to be like the others.
    """
    whole = histograms.get("open", Histogram())
    if not whole.total:
        return ()
    found = []
    for name in PHASES:
        histogram = histograms.get(name, Histogram())
        if histogram.total:
            share = min(histogram.total / whole.total, 1.0)
            found.append(Phase(name=name, part_ns=histogram.mean_ns * share))
    waiting_ns = whole.mean_ns - sum(phase.part_ns for phase in found)
    return (Phase(name=WAITING, part_ns=max(waiting_ns, 0.0)), *found)
