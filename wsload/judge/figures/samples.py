"""How many values a percentile needs, and histograms in which what was lost ranks above what was answered.

A percentile says something only where values lie beyond it: p99 of 50 values is just their maximum, and is not shown
as if it were more (`SHOWN`). To compare it with a bound takes more values: with `BEYOND` of them expected beyond it,
the share that really lies there is known within a factor of about two (the 95 % interval of a Poisson count of 5
is 1.6 to 11.7, Garwood 1936).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from wsload.measure.histogram import LENGTH, TRACKABLE_NS, Histogram
from wsload.measure.names import FAILED, LOST, SERVICE, split

SHOWN: Final = 1
"""A percentile is shown when at least so many values lie beyond it: p50 of 2, p99 of 100, p99.9 of 1,000."""
BEYOND: Final = 5
"""A percentile is compared with a bound as it stands when at least so many lie beyond it: p99 of 500."""
SLOWEST_NS: Final = TRACKABLE_NS
"""Where `with_unanswered` puts a request that was lost or refused: above every value that can be measured."""


def needed(percentile: float, beyond: int) -> int:
    """How many values it takes for so many to lie beyond this percentile (between 0 and 100)."""
    return math.ceil(round(100 * beyond / min(percentile, 100 - percentile), 6))


def can_be_shown(percentile: float, count: int) -> bool:
    """Whether this percentile of so many values is more than their maximum."""
    return count >= needed(percentile, SHOWN)


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
    ranked.reach(LENGTH)[-1] += number
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
