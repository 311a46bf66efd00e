"""How many pairs of runs it takes: the power of the paired t test behind the gate.

All effects are of ratios: 0.10 is 10 % slower. Deviations are those of the log-ratio of one pair:
`Judgement.deviation` of an earlier comparison says what one's own machine and server have.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np

from wsload.errors import UsageError
from wsload.judge.compare.inference import NORMAL, t_quantile
from wsload.words import number, percent

RUN_DEVIATION: Final = 0.049
"""How far runs of one build scatter: the standard deviation of the logarithm of a percentile.

Calibrated on repeated 60 s runs on a shared two-core machine, where ten pairs found a true +10 %
three times in four, and five pairs 38 times in a hundred. A quieter machine does better.
"""
PAIR_DEVIATION: Final = RUN_DEVIATION * math.sqrt(2)
"""The same for the log-ratio of a pair of independent runs: 0.069."""
MOST_PAIRS: Final = 10_000
"""No plan is made for more."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


@cache
def chance(distance: float, pairs: int, deviation: float, alpha: float) -> float:
    """The chance that the lower end of the interval of the mean clears a limit ``distance`` below the truth.

    ``distance`` and ``deviation`` are in log-ratio, ``alpha`` is two-sided. This is the upper tail of
    the noncentral t distribution: the normal tail averaged over the chi distribution of the sample's
    deviation (Johnson, Kotz & Balakrishnan, Continuous Univariate Distributions 2, 1995, chapter 31).
    """
    df = pairs - 1
    critical = t_quantile(1 - alpha / 2, df)
    shift = distance * math.sqrt(pairs) / deviation
    reach = 8 / math.sqrt(2 * df)
    low, high = max(0.0, 1 - reach), 1 + reach
    scale = low + (high - low) * (_NODES + 1) / 2
    log_density = (
        math.log(2) + df / 2 * math.log(df / 2) - math.lgamma(df / 2) + (df - 1) * np.log(scale)
    ) - df / 2 * scale**2
    density = np.exp(log_density) * _WEIGHTS * (high - low) / 2
    tails = [NORMAL.cdf(shift - critical * float(s)) for s in scale]
    return float(density @ tails)


def pairs_about(distance: float, *, power: float, deviation: float, alpha: float) -> float:
    """About the number of pairs whose `chance` is ``power``, off by one or two when there are few.

    Source: W. Guenther, Sample size formulas for normal theory t tests, The American Statistician 35
    (1981) 243–244. Infinite when ``distance`` is not above 0.
    """
    if distance <= 0:
        return math.inf
    z = NORMAL.inv_cdf(1 - alpha / 2)
    return ((z + NORMAL.inv_cdf(power)) * deviation / distance) ** 2 + z * z / 2


def pairs_needed(distance: float, *, power: float, deviation: float, alpha: float) -> int | None:
    """The least number of pairs whose `chance` reaches ``power``; None above `MOST_PAIRS`."""
    guess = pairs_about(distance, power=power, deviation=deviation, alpha=alpha)
    if guess > MOST_PAIRS:
        return None
    pairs = max(math.ceil(guess), 2)
    while pairs > 2 and chance(distance, pairs - 1, deviation, alpha) >= power:
        pairs -= 1
    while chance(distance, pairs, deviation, alpha) < power:
        pairs += 1
    return pairs


def power_of(
    effect: float,
    pairs: int,
    *,
    deviation: float = PAIR_DEVIATION,
    gate: float = 0.03,
    alpha: float = 0.05,
    metrics: int = 1,
) -> float:
    """The chance that the gate calls one metric slower when it truly is, by ``effect``.

    ``gate`` is the ratio that the interval's lower end must clear; ``metrics`` is how many are
    judged together (the chance is the one at the first, strictest step of Holm's correction).
    """
    return chance(math.log((1 + effect) / (1 + gate)), pairs, deviation, alpha / metrics)


def pairs_for_power(
    effect: float,
    power: float = 0.8,
    *,
    deviation: float = PAIR_DEVIATION,
    gate: float = 0.03,
    alpha: float = 0.05,
    metrics: int = 1,
) -> int:
    """The number of pairs that finds a true slow-down of ``effect`` with probability ``power``.

    Raises `UsageError` when the effect does not exceed the gate, or would take over `MOST_PAIRS`.
    """
    if not 0 < power < 1:
        raise UsageError(f"a power lies between 0 and 100 %, not at {percent(power)}")
    if effect <= gate:
        raise UsageError(
            f"a change of {percent(effect)} can't be found by a gate of {percent(gate)}: "
            "ask for a larger change or set a lower gate"
        )
    distance = math.log((1 + effect) / (1 + gate))
    pairs = pairs_needed(distance, power=power, deviation=deviation, alpha=alpha / metrics)
    if pairs is None:
        raise UsageError(
            f"a change of {percent(effect)} would take more than {number(MOST_PAIRS)} pairs of runs: "
            "ask for a larger change, set a lower gate or make the runs longer"
        )
    return pairs
