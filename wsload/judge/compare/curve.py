"""The ratio of two builds at every percentile, for the picture beside the verdicts.

These intervals are pointwise: each holds its own percentile's ratio at the stated confidence, not
the whole curve at once. Verdicts come from `wsload.judge.compare.compare` alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsload.judge.compare.bootstrap import Blocks, log_ratios
from wsload.judge.compare.inference import t_quantile
from wsload.judge.figures.shape import GRID
from wsload.measure.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One percentile of both builds; times in ns."""

    percentile: float
    """0 to 100."""
    baseline_ns: float
    """The median over the baseline's runs."""
    baseline_low_ns: float
    """The fastest of the baseline's runs."""
    baseline_high_ns: float
    """The slowest of the baseline's runs."""
    candidate_ns: float
    candidate_low_ns: float
    candidate_high_ns: float
    ratio: float
    """Candidate over baseline, the geometric mean over the pairs."""
    low: float
    """The lower end of the ratio's interval."""
    high: float
    """The upper end."""


def supported(histograms: Sequence[Histogram], percentiles: Sequence[float] = GRID) -> tuple[float, ...]:
    """The percentiles beyond which each of the histograms still has at least one value."""
    fewest = min((histogram.total for histogram in histograms), default=0)
    return tuple(p for p in percentiles if fewest * (100 - p) >= 100)


def ratio_curve(
    pairs: Sequence[tuple[Histogram, Histogram]], *, alpha: float = 0.05
) -> tuple[CurvePoint, ...]:
    """The curve over at least two pairs of (baseline, candidate) runs; whole-run histograms.

    The interval is the t interval of the pairs' mean log-ratio, as in the verdicts, before Holm's
    correction. Ends where the smallest run has no samples left; empty when one has none.
    """
    percentiles = supported([histogram for pair in pairs for histogram in pair])
    a, b = (
        np.array([pair[side].percentiles(percentiles) for pair in pairs], dtype=np.float64) for side in (0, 1)
    )
    if not percentiles:
        return ()
    logs = np.log(b / a)
    reach = t_quantile(1 - alpha / 2, len(pairs) - 1) * logs.std(axis=0, ddof=1) / math.sqrt(len(pairs))
    mean = logs.mean(axis=0)
    return _points(percentiles, a, b, mean, mean - reach, mean + reach)


def ratio_curve_within(
    baseline: tuple[Histogram, Blocks], candidate: tuple[Histogram, Blocks], *, alpha: float = 0.05
) -> tuple[CurvePoint, ...]:
    """The curve of one run a side: the interval is the block bootstrap's over the runs' seconds.

    How runs of one build differ from each other is not in it: say so beside it.
    """
    percentiles = supported([baseline[0], candidate[0]])
    if not percentiles:
        return ()
    a, b = (np.array([run[0].percentiles(percentiles)], dtype=np.float64) for run in (baseline, candidate))
    logs = log_ratios(baseline[1], candidate[1], percentiles)
    low, high = np.quantile(logs, [alpha / 2, 1 - alpha / 2], axis=0)
    return _points(percentiles, a, b, np.log(b / a)[0], low, high)


def _points(
    percentiles: Sequence[float],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    mean: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(
            percentile=percentile,
            baseline_ns=float(np.median(a[:, at])),
            baseline_low_ns=float(a[:, at].min()),
            baseline_high_ns=float(a[:, at].max()),
            candidate_ns=float(np.median(b[:, at])),
            candidate_low_ns=float(b[:, at].min()),
            candidate_high_ns=float(b[:, at].max()),
            ratio=math.exp(mean[at]),
            low=math.exp(low[at]),
            high=math.exp(high[at]),
        )
        for at, percentile in enumerate(percentiles)
    )
