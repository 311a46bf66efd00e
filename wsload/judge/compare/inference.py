"""Student's t, one-sided bounds, Holm's correction and the combination of stages.

Small and exact, so that scipy is not needed: the distribution function is the finite sum for whole degrees
of freedom, and its inverse is found by bisection. All functions take arrays: a comparison judges all its
statistics at once, and the simulation thousands of comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NORMAL: Final = NormalDist()
LARGE_DF: Final = 1_000
"""Above this many degrees of freedom t is approximated by the normal distribution (within 0.2 %)."""
KNOWN: Final = 0
"""In place of degrees of freedom: the error is known, not estimated, so the distribution is normal."""
_SMALLEST: Final = 1e-15
"""Probabilities are clipped here, because the normal score of 0 is infinite."""
_HALVINGS: Final = 60

LARGEST_RATIO: Final = 1e6
_LARGEST_LOG: Final = math.log(LARGEST_RATIO)

_Function = Callable[..., Floats]
_normal_cdf: _Function = np.vectorize(NORMAL.cdf, otypes=[np.float64])
_normal_quantile: _Function = np.vectorize(NORMAL.inv_cdf, otypes=[np.float64])


def as_ratio(log: float) -> float:
    """The ratio with this logarithm, clipped to a factor of `LARGEST_RATIO` either way.

    The bounds of two pairs that contradict each other would overflow.
    """
    return math.exp(max(min(log, _LARGEST_LOG), -_LARGEST_LOG))


def t_cdf(t: ArrayLike, df: int) -> Floats:
    """The probability that Student's t with ``df`` degrees of freedom is at most ``t``.

    ``df`` is a whole number from 1, or `KNOWN` for the normal distribution. Absolute error below 1e-13.
    Source: Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 26.7.3–26.7.4.
    """
    t = np.asarray(t, dtype=np.float64)
    if df == KNOWN or df > LARGE_DF:
        return _normal_cdf(t)
    angle = np.arctan2(t, math.sqrt(df))
    sine, cosine = np.sin(angle), np.cos(angle)
    term = sine * cosine if df % 2 else sine
    total = np.zeros_like(t) if df == 1 else term
    for k in range(3 if df % 2 else 2, df, 2):
        term = term * cosine * cosine * (k - 1) / k
        total = total + term
    inside = 2 / math.pi * (angle + total) if df % 2 else total
    return np.asarray((1 + inside) / 2)


@cache
def t_quantile(p: float, df: int) -> float:
    """The value that Student's t with ``df`` degrees of freedom stays below with probability ``p``.

    The inverse of `t_cdf` to about 1e-12 of its size. Raises `ValueError` unless 0 < p < 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"a probability must lie between 0 and 1, not at {p}")
    if df == KNOWN or df > LARGE_DF:
        return NORMAL.inv_cdf(p)
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if t_cdf(middle, df) < p:
            low = middle
        else:
            high = middle
    return high


_quantiles: _Function = np.vectorize(t_quantile, otypes=[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """Means with t-distributed errors: arrays of the same shape, with one entry per statistic."""

    mean: Floats
    error: Floats
    """Standard errors, above 0."""
    df: Ints
    """Degrees of freedom of the errors, or `KNOWN`."""
    slack: Floats
    """A possible bias of each mean, from 0: every bound moves out by this much."""

    @classmethod
    def of(cls, values: Floats, *, axis: int, least: ArrayLike = 0.0, slack: ArrayLike = 0.0) -> Estimate:
        """From repeated values along ``axis``, at least two of each; NaN marks missing values.

        ``least`` is a lower limit for the standard deviation, because values are rounded or counted.
        """
        there = ~np.isnan(values)
        n = there.sum(axis=axis)
        mean = np.where(there, values, 0.0).sum(axis=axis) / n
        off = np.where(there, values - np.expand_dims(mean, axis), 0.0)
        deviation = np.maximum(np.sqrt((off**2).sum(axis=axis) / (n - 1)), least)
        return cls(
            mean=mean,
            error=deviation / np.sqrt(n),
            df=(n - 1).astype(np.int64),
            slack=np.broadcast_to(np.asarray(slack, dtype=np.float64), mean.shape),
        )

    @property
    def deviation(self) -> Floats:
        """The standard deviations of the values passed to `of`."""
        return self.error * np.sqrt(self.df + 1)

    def p_above(self, limit: ArrayLike) -> Floats:
        """The one-sided p-values of "the truth is at most ``limit``"."""
        return self._tail((np.asarray(limit) + self.slack - self.mean) / self.error)

    def at_least(self, level: ArrayLike) -> Floats:
        """Lower bounds of the truths with confidence 1 − ``level``, where `p_above` equals ``level``."""
        return self.mean - self.slack - _quantiles(1 - np.asarray(level), self.df) * self.error

    def mirrored(self) -> Estimate:
        """The estimate of the negative."""
        return replace(self, mean=-self.mean)

    def _tail(self, t: Floats) -> Floats:
        t, df = np.broadcast_arrays(t, self.df)
        found = np.empty(t.shape)
        for each in np.unique(df):
            found[df == each] = t_cdf(t[df == each], int(each))
        return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """The estimates of the same quantities in the independent stages of an experiment, usually one.

    Stages are combined by their p-values, as normal scores with equal weights that were fixed before
    anything was measured. So the size of a later stage may depend on the results of earlier ones, and the
    combined p-value is still valid. Source: W. Lehmacher & G. Wassmer, Adaptive sample size calculations in
    group sequential trials, Biometrics 55 (1999) 1286–1290.
    """

    stages: tuple[Estimate, ...]

    def p_above(self, limit: ArrayLike) -> Floats:
        """The one-sided p-values of "the truth is at most ``limit``"."""
        if len(self.stages) == 1:
            return self.stages[0].p_above(limit)
        return _normal_cdf(-self.score_above(limit) / math.sqrt(len(self.stages)))

    def score_above(self, limit: ArrayLike) -> Floats:
        """The sum of the stages' normal scores against "the truth is at most ``limit``"."""
        return np.asarray(sum(_score(stage.p_above(limit)) for stage in self.stages))

    def score_below(self, limit: ArrayLike) -> Floats:
        """The same against "the truth is at least ``limit``"."""
        return self._mirrored().score_above(-np.asarray(limit))

    def p_below(self, limit: ArrayLike) -> Floats:
        """The one-sided p-values of "the truth is at least ``limit``"."""
        return self._mirrored().p_above(-np.asarray(limit))

    def at_least(self, level: ArrayLike) -> Floats:
        """Lower bounds of the truths with confidence 1 − ``level`` (an array, or one for all; below ½)."""
        if len(self.stages) == 1:
            return self.stages[0].at_least(level)
        level = np.broadcast_to(np.asarray(level, dtype=np.float64), self.stages[0].mean.shape)
        weaker = _normal_cdf(_normal_quantile(level) / math.sqrt(len(self.stages)))
        low = np.minimum.reduce([stage.at_least(level) for stage in self.stages])
        high = np.maximum.reduce([stage.at_least(weaker) for stage in self.stages])
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = self.p_above(middle) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(low)

    def at_most(self, level: ArrayLike) -> Floats:
        """Upper bounds of the truths with confidence 1 − ``level``."""
        return -self._mirrored().at_least(level)

    def _mirrored(self) -> Evidence:
        return Evidence(tuple(stage.mirrored() for stage in self.stages))


def _score(p: Floats) -> Floats:
    return -_normal_quantile(np.clip(p, _SMALLEST, 1 - _SMALLEST))


def holm_levels(p_values: Floats, alpha: float) -> Floats:
    """The level at which each hypothesis is tested: it is rejected if its p-value is below its level.

    Along the last axis, the k-th smallest of m p-values (k from 0) is compared with ``alpha / (m - k)``. From
    the first one that is not below on, all get that level, so none of them is rejected. The chance of even
    one false rejection is at most ``alpha``, however the tests depend on each other.
    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6 (1979) 65–70.
    """
    m = p_values.shape[-1]
    if not m:
        return np.empty_like(p_values)
    steps = alpha / (m - np.arange(m))
    order = np.argsort(p_values, axis=-1, kind="stable")
    kept = np.take_along_axis(p_values, order, axis=-1) >= steps
    first = np.where(kept.any(axis=-1), kept.argmax(axis=-1), m - 1)
    levels = np.empty_like(p_values)
    np.put_along_axis(levels, order, steps[np.minimum(np.arange(m), first[..., None])], axis=-1)
    return levels
