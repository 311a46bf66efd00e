"""How many values a percentile needs, and histograms in which what was lost ranks above what was answered.

A percentile says something only where values lie beyond it: p99 of 50 values is just their maximum. With
`BEYOND` values expected beyond it, the share that really lies there is known within a factor of about two
(the 95 % interval of a Poisson count of 5 is 1.6 to 11.7, Garwood 1936).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from wsload.measure.histogram import TRACKABLE_NS, Histogram
from wsload.measure.names import FAILED, LOST, SERVICE, split

BEYOND: Final = 5
"""A percentile is shown, or compared with a bound as it stands, when at least so many lie beyond it."""
SLOWEST_NS: Final = TRACKABLE_NS
"""Where `with_unanswered` puts a request that was lost or refused: above every value that can be measured."""


def needed(percentile: float) -> int:
    """How many values this percentile (between 0 and 100) needs."""
    return math.ceil(round(100 * BEYOND / min(percentile, 100 - percentile), 6))


def enough(percentile: float, count: int) -> bool:
    """Whether so many values are enough for this percentile."""
    return count >= needed(percentile)


def unanswered(metric: str, histograms: Mapping[str, Histogram]) -> Histogram | None:
    """The ages of those that were lost or refused beside this metric's values; None where there are none."""
    name, suffix = split(metric)
    if suffix not in ("", SERVICE):
        return None
    found = [histograms[name + part] for part in (LOST, FAILED) if name + part in histograms]
    total = Histogram()
    for part in found:
        total.add(part)
    return total if total.total + total.overflow else None


def with_unanswered(answered: Histogram, missing: Histogram | None) -> Histogram:
    """The answered with the lost and refused above them all, at `SLOWEST_NS`."""
    if missing is None:
        return answered
    ranked = answered.copy()
    number = missing.total + missing.overflow
    ranked.counts[-1] += number
    ranked.total += number
    return ranked


def at_most(successes: int, trials: int, chance: float) -> float:
    """The probability of at most so many successes, by the binomial distribution."""
    if chance > 0.5:
        return 1 - at_most(trials - successes - 1, trials, 1 - chance)
    if successes >= trials or successes > 50 + 10 * trials * chance:
        return 1.0
    return math.fsum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(number + 1)
            - math.lgamma(trials - number + 1)
            + number * math.log(chance)
            + (trials - number) * math.log1p(-chance)
        )
        for number in range(successes + 1)
    )
