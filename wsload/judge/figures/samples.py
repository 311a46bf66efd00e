"""How many values a percentile needs, and histograms in which lost requests rank above answered ones.

A percentile is meaningful only if values lie beyond it: p99 of 50 values is just their maximum, and is not shown as
if it were more (`SHOWN`). Comparing it with a bound needs more values: with `BEYOND` of them expected beyond it, the
share that really lies there is known within a factor of about two (the 95 % interval of a Poisson count of 5 is 1.6
to 11.7, Garwood 1936).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from wsload.measure.histogram import Histogram
from wsload.measure.layout import LENGTH, TRACKABLE_NS
from wsload.measure.names import FAILED, LOST, SERVICE, split

SHOWN: Final = 1
"""A percentile is shown if at least this many values lie beyond it: p50 of 2, p99 of 100, p99.9 of 1,000."""
BEYOND: Final = 5
"""A percentile is compared with a bound directly if at least this many values lie beyond it: p99 of 500."""
SLOWEST_NS: Final = TRACKABLE_NS
"""Where `with_unanswered` puts lost and refused requests: above every value that can be measured."""


def needed(percentile: float, beyond: int) -> int:
    """How many values are needed so that ``beyond`` of them lie beyond this percentile (between 0 and 100)."""
    return math.ceil(round(100 * beyond / min(percentile, 100 - percentile), 6))


def can_be_shown(percentile: float, count: int) -> bool:
    """Whether this percentile of ``count`` values is more than just their maximum."""
    return count >= needed(percentile, SHOWN)


def unanswered(metric: str, histograms: Mapping[str, Histogram]) -> Histogram | None:
    """The ages of the requests of this metric that were lost or refused; None if there are none."""
    name, suffix = split(metric)
    if suffix not in ("", SERVICE):
        return None
    found = [histograms[name + part] for part in (LOST, FAILED) if name + part in histograms]
    total = Histogram()
    for part in found:
        total.add(part)
    return total if total.total + total.overflow else None


def with_unanswered(answered: Histogram, missing: Histogram | None) -> Histogram:
    """The values of all requests, with the lost and refused at `SLOWEST_NS`."""
    if missing is None:
        return answered
    ranked = answered.copy()
    number = missing.total + missing.overflow
    ranked.reach(LENGTH)[-1] += number
    ranked.total += number
    return ranked


def of_all(metric: str, histograms: Mapping[str, Histogram]) -> Histogram:
    """The values of all requests of this metric, answered or not."""
    return with_unanswered(histograms.get(metric, Histogram()), unanswered(metric, histograms))


def number_of(metric: str, histograms: Mapping[str, Histogram]) -> int:
    """How many values this metric has within the histograms' range."""
    return histograms[metric].total if metric in histograms else 0


def at_most(successes: int, trials: int, chance: float) -> float:
    """The probability of at most this many successes, by the binomial distribution."""
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
