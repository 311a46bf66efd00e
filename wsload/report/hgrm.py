"""The percentile distribution (``.hgrm``) of the HdrHistogram tools, which their plotters read.

Lines and formats are those of ``AbstractHistogram.outputPercentileDistribution``, and the steps those of
``PercentileIterator`` (HdrHistogram 2.1, Java): a fixed number for each halving of the distance to 100 %, and a last
line at the maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import numpy as np

from wsload.measure.histogram import Histogram
from wsload.measure.layout import BUCKETS, DIGITS, SUB_BUCKETS
from wsload.results.hlog import java_date

TICKS_PER_HALF: Final = 5
"""Steps per halving, the Java tool's default."""


def distribution(histogram: Histogram, *, started_at: float | None = None, csv: bool = False) -> str:
    """What ``HistogramLogProcessor`` prints for a log with these values, in ms.

    ``started_at`` (wall clock, seconds since the epoch) adds a first line with the start time.
    """
    lines = []
    if started_at is not None:
        lines.append(f"#[StartTime: {started_at:.3f} (seconds since epoch), {java_date(started_at)}]")
    if csv:
        lines.append('"Value","Percentile","TotalCount","1/(1-Percentile)"')
    else:
        lines += [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for value_ns, level, count in _steps(histogram):
        value, share = value_ns / 1e6, level / 100
        inverse = _fixed(1 / (1 - share), 2) if level < 100 else ""
        if csv:
            lines.append(f"{_fixed(value, DIGITS)},{_fixed(share, 12)},{count},{inverse or 'Infinity'}")
        else:
            lines.append(
                f"{_fixed(value, DIGITS):>12} {_fixed(share, 12)} {count:10d} {inverse:>14}".rstrip()
            )
    if not csv:
        mean, deviation, highest = (
            _fixed(value / 1e6, DIGITS)
            for value in (histogram.mean_ns, histogram.deviation_ns, histogram.max_ns)
        )
        lines += [
            f"#[Mean    = {mean:>12}, StdDeviation   = {deviation:>12}]",
            f"#[Max     = {highest:>12}, Total count    = {histogram.total:12d}]",
            f"#[Buckets = {BUCKETS:12d}, SubBuckets     = {SUB_BUCKETS:12d}]",
        ]
    return "\n".join(lines) + "\n"


def _steps(histogram: Histogram) -> Iterator[tuple[int, float, int]]:
    """Value in ns, percentile level (0 to 100) and the number of values up to it."""
    if not histogram.total:
        return
    values, counts = histogram.buckets()
    reached = np.cumsum(counts)
    levels = 100.0 * reached / histogram.total
    level, place = 0.0, 0
    while True:
        place += int(np.searchsorted(levels[place:], level))
        yield int(values[place]), level, int(reached[place])
        if reached[place] == histogram.total:
            break
        halvings = int(math.log(100 / (100 - level)) / math.log(2)) + 1
        level += 100 / (TICKS_PER_HALF * 2**halvings)
    yield int(values[-1]), 100.0, histogram.total


def _fixed(value: float, digits: int) -> str:
    """A number as Java's ``%.<digits>f`` prints it: the shortest decimal form, rounded half up."""
    step = Decimal(1).scaleb(-digits)
    return f"{Decimal(repr(float(value))).quantize(step, ROUND_HALF_UP):f}"
