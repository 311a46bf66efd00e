"""The ratio of two builds at every percentile, for the chart beside the verdicts.

The confidence intervals are pointwise: each is for its own percentile's ratio, not for the whole curve at once.
Verdicts come from `wsload.judge.compare.compare` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsload.judge.compare.estimates import RESOLUTION, over_pairs, over_runs
from wsload.judge.compare.inference import Floats, as_ratio
from wsload.judge.compare.outcomes import Outcomes
from wsload.judge.compare.pairs import Basis
from wsload.judge.figures.shape import GRID


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One percentile of both builds; times in ns."""

    percentile: float
    """0 to 100."""
    baseline_ns: float
    """The geometric mean over the baseline's runs."""
    baseline_low_ns: float
    """The value of the fastest run."""
    baseline_high_ns: float
    """The value of the slowest run."""
    candidate_ns: float
    candidate_low_ns: float
    candidate_high_ns: float
    ratio: float
    """Candidate over baseline."""
    low: float | None
    """The lower end of the ratio's interval; None with one run per side."""
    high: float | None
    """The upper end."""


def supported(runs: Sequence[Outcomes]) -> tuple[float, ...]:
    """The percentiles of the grid at which every run has an answer, and beyond which it has further attempts."""
    return tuple(
        each
        for each in GRID
        if all(run.attempts and run.beyond(each) and run.rank(each) <= run.answered for run in runs)
    )


def ratio_curve(
    baseline: Sequence[Outcomes], candidate: Sequence[Outcomes], *, basis: Basis, alpha: float = 0.05
) -> tuple[CurvePoint, ...]:
    """The curve of one metric over the runs that were used, paired or not as ``basis`` says.

    The two-sided intervals at confidence 1 − ``alpha`` are computed as for the verdicts, but without Holm's
    correction. Empty if a run has no values.
    """
    percentiles = supported([*baseline, *candidate])
    if not percentiles:
        return ()
    a, b = (
        np.array([[run.percentile(each) for each in percentiles] for run in side])
        for side in (baseline, candidate)
    )
    mean = np.log(b).mean(axis=0) - np.log(a).mean(axis=0)
    low, high = _bounds(np.log(a), np.log(b), basis, alpha) or (None, None)
    return tuple(
        CurvePoint(
            percentile=percentile,
            baseline_ns=float(np.exp(np.log(a[:, at]).mean())),
            baseline_low_ns=float(a[:, at].min()),
            baseline_high_ns=float(a[:, at].max()),
            candidate_ns=float(np.exp(np.log(b[:, at]).mean())),
            candidate_low_ns=float(b[:, at].min()),
            candidate_high_ns=float(b[:, at].max()),
            ratio=as_ratio(mean[at]),
            low=None if low is None else as_ratio(low[at]),
            high=None if high is None else as_ratio(high[at]),
        )
        for at, percentile in enumerate(percentiles)
    )


def _bounds(a: Floats, b: Floats, basis: Basis, alpha: float) -> tuple[Floats, Floats] | None:
    least = np.full(a.shape[1], RESOLUTION)
    if basis is Basis.PAIRS:
        evidence, _ = over_pairs(b - a, least=least)
    elif basis is Basis.RUNS:
        evidence, _ = over_runs(a, b, least=least, slack=np.zeros_like(least))
    else:
        return None
    return evidence.at_least(alpha / 2), evidence.at_most(alpha / 2)
