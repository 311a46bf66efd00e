"""Student's t, the interval of a mean, and Holm's correction: what every comparison stands on.

Small and exact, so that comparing needs no scipy: the distribution function is the finite sum that
holds for whole degrees of freedom, and the quantile is found from it by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final

NORMAL: Final = NormalDist()
LARGE_DF: Final = 1_000
"""Above so many degrees of freedom t is taken as normal: quantiles then differ by under 0.2 %."""

LARGEST_RATIO: Final = 1e6
_LARGEST_LOG: Final = math.log(LARGEST_RATIO)


def as_ratio(log: float) -> float:
    """The ratio of this logarithm; none is told beyond a factor of `LARGEST_RATIO` either way.

    Two pairs that contradict each other have intervals whose ends no number could hold.
    """
    return math.exp(max(min(log, _LARGEST_LOG), -_LARGEST_LOG))


def t_cdf(t: float, df: int | None) -> float:
    """The probability that Student's t with ``df`` degrees of freedom is at most ``t``.

    ``df`` is a whole number from 1, or None for the normal distribution. Absolute error below
    1e-13. Source: Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 26.7.3–26.7.4.
    """
    if df is None or df > LARGE_DF:
        return NORMAL.cdf(t)
    angle = math.atan2(t, math.sqrt(df))
    sine, cosine = math.sin(angle), math.cos(angle)
    term = total = sine * cosine if df % 2 else sine
    for k in range(3 if df % 2 else 2, df, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if df == 1:
        total = 0.0
    inside = 2 / math.pi * (angle + total) if df % 2 else total
    return (1 + inside) / 2


@cache
def t_quantile(p: float, df: int | None) -> float:
    """The value that Student's t with ``df`` degrees of freedom stays below with probability ``p``.

    The inverse of `t_cdf` to about 1e-12 of its size. Raises `ValueError` unless 0 < p < 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"a probability between 0 and 1, not {p}")
    if df is None or df > LARGE_DF:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its error, as the t distribution sees it."""

    mean: float
    """The estimate itself, here of a logarithm of a ratio."""
    error: float
    """Its standard error, above 0."""
    df: int | None
    """Degrees of freedom of the error; None when the error is taken as known (normal)."""
    slack: float = 0.0
    """What the mean may be off by beyond chance, from 0: both ends move out by so much."""

    def interval(self, alpha: float) -> tuple[float, float]:
        """The two-sided interval at confidence ``1 - alpha``."""
        reach = t_quantile(1 - alpha / 2, self.df) * self.error + self.slack
        return self.mean - reach, self.mean + reach

    def p_beyond(self, limit: float) -> float:
        """The two-sided p-value of "the truth lies within ±limit": 1.0 when the mean does.

        Smaller than ``alpha`` exactly when `interval` at ``alpha`` lies outside ±limit on one side.
        """
        distance = abs(self.mean) - limit - self.slack
        if distance <= 0:
            return 1.0
        return min(2 * t_cdf(-distance / self.error, self.df), 1.0)


def holm_levels(p_values: Mapping[str, float], alpha: float) -> dict[str, float]:
    """The level each hypothesis is judged at: it is rejected when its p-value is below its level.

    The k-th smallest of m p-values (k from 0) is held against ``alpha / (m - k)``; from the first
    one that is not below on, all keep that one's level, so none of them can be rejected. The chance
    of even one false rejection is at most ``alpha``, however the tests depend on each other.
    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6 (1979) 65–70.
    """
    levels: dict[str, float] = {}
    stopped: float | None = None
    for k, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        level = alpha / (len(p_values) - k) if stopped is None else stopped
        if stopped is None and p_values[name] >= level:
            stopped = level
        levels[name] = level
    return levels
