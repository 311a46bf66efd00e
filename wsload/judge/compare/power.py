"""How many pairs of runs are needed: the power of the paired t test behind the gate.

All effects are ratios: 0.10 is 10 % slower. Deviations are those of the log-ratio of one pair; for your own machine
and server, take `Judgement.deviation` of an earlier comparison.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from wsload.errors import UsageError
from wsload.judge.compare.inference import NORMAL, t_quantile
from wsload.judge.compare.selection import ALWAYS, PERCENTILE, PERCENTILES
from wsload.judge.compare.verdict import SLOWER_SHARE, Gate, Judgement, Verdict
from wsload.words import percent

RUN_DEVIATION: Final = 0.049
"""How much runs of one build scatter: the standard deviation of the logarithm of a percentile.

Calibrated with repeated 60 s runs on a shared two-core machine; a quieter machine does better. It is only used for
planning: verdicts use the actual scatter of the runs.
"""
PAIR_DEVIATION: Final = RUN_DEVIATION * math.sqrt(2)
"""The same for the log-ratio of a pair of independent runs: 0.069."""
SIDE_BY_SIDE_DEVIATION: Final = 0.03
"""The same for a pair of runs at the same time: p50 of a server that answers at once, in runs of 8 s beside a noisy
neighbour on two cores (`python -m benchmarks.duet scatter --at-once`). Slower servers scatter less, p99 more.
"""
STATISTICS: Final = len(PERCENTILES) * (len(ALWAYS) + 1)
"""How many statistics are assumed to be judged together unless the plan names them: p50 and p99 of opening,
logging in and one request."""
MAX_PAIRS: Final = 10_000
"""Plans that need more are refused."""
POWER: Final = 0.8

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


@cache
def chance(distance: float, pairs: int, deviation: float, level: float) -> float:
    """The chance that the mean's lower bound exceeds a limit that is ``distance`` below the truth.

    ``distance`` and ``deviation`` are in log-ratio, ``level`` is one-sided. This is the upper tail of the
    noncentral t distribution: the normal tail averaged over the chi distribution of the sample's deviation
    (Johnson, Kotz & Balakrishnan, Continuous Univariate Distributions 2, 1995, chapter 31).
    """
    df = pairs - 1
    critical = t_quantile(1 - level, df)
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


def pairs_about(distance: float, score: float, *, power: float, deviation: float) -> float:
    """The approximate number of pairs whose `chance` is ``power``; off by one or two if there are few.

    ``score`` is the normal score that is to be exceeded. Infinite if ``distance`` is not above 0. Source:
    W. Guenther, Sample size formulas for normal theory t tests, The American Statistician 35 (1981) 243–244.
    """
    reach = score + NORMAL.inv_cdf(power)
    if distance <= 0:
        return math.inf
    return (max(reach, 0.0) * deviation / distance) ** 2 + score * score / 2


def pairs_needed(distance: float, *, power: float, deviation: float, level: float) -> int | None:
    """The smallest number of pairs whose `chance` reaches ``power``; None above `MAX_PAIRS`."""
    guess = pairs_about(distance, NORMAL.inv_cdf(1 - level), power=power, deviation=deviation)
    if guess > MAX_PAIRS:
        return None
    pairs = max(math.ceil(guess), 2)
    while pairs > 2 and chance(distance, pairs - 1, deviation, level) >= power:
        pairs -= 1
    while chance(distance, pairs, deviation, level) < power:
        pairs += 1
    return pairs


def power_of(effect: float, pairs: int, gate: Gate, *, deviation: float = PAIR_DEVIATION) -> float:
    """The chance that the gate calls a statistic slower if it truly is, by ``effect``.

    This is the chance at the first, strictest step of Holm's correction over the statistics that are judged.
    """
    return chance(_distance(effect, gate), pairs, deviation, _level(gate))


def pairs_for_power(
    effect: float, gate: Gate, *, power: float = POWER, deviation: float = PAIR_DEVIATION
) -> int:
    """The number of pairs that detects a true slow-down of ``effect`` with probability ``power``.

    Raises `UsageError` if the effect does not exceed the gate, or needs more than `MAX_PAIRS`.
    """
    if not 0 < power < 1:
        raise UsageError(f"a power must lie between 0 and 100 %, not at {percent(power)}")
    if effect <= gate.ratio:
        raise UsageError(
            f"a change of {percent(effect)} can't be detected, because only more than {percent(gate.ratio)} counts as "
            "slower: ask for a larger change, or lower --min-ratio"
        )
    pairs = pairs_needed(_distance(effect, gate), power=power, deviation=deviation, level=_level(gate))
    if pairs is None:
        raise UsageError(
            f"a change of {percent(effect)} would take more than {MAX_PAIRS:,} pairs of runs: "
            "ask for a larger change, lower --min-ratio or make the runs longer"
        )
    return pairs


def expected(gate: Gate) -> int:
    """How many statistics a plan assumes to be judged together."""
    return sum(1 if PERCENTILE.fullmatch(name) else len(PERCENTILES) for name in gate.judged) or STATISTICS


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStage:
    """Pairs that are added later (``--more``): a stage of their own, with a share of alpha of its own."""

    share: float
    """Its alpha, over that of the look before."""
    stages: int
    """How many there are so far."""
    worse: float
    """The sum of their normal scores for *slower* or *fails more*."""
    cleared: float
    """The same for *not slower* or *no more*."""


def more_pairs(judgement: Judgement, gate: Gate, stage: NextStage | None = None) -> int | None:
    """About how many more pairs an inconclusive statistic needs for an answer in 4 cases of 5.

    The answer is whichever is nearer, worse or not, if the change stays the same. Without ``stage`` they are judged
    as if they had been planned. None if the statistic is not inconclusive, its scatter is unknown, or no reasonable
    number would do.
    """
    if judgement.verdict is not Verdict.INCONCLUSIVE or not judgement.deviation or judgement.level is None:
        return None
    if judgement.is_share:
        change, limit, margin, least = judgement.change, 0.0, gate.failures_within, gate.failures_floor
    else:
        change, limit, least = math.log(judgement.change), math.log1p(gate.ratio), gate.shift_ns
        margin = math.log1p(max(gate.same_within, gate.shift_ns / judgement.baseline))
    goals = [(margin - change, gate.alpha, stage.cleared if stage else 0.0)]
    if judgement.shift > least:
        goals.append((change - limit, judgement.level, stage.worse if stage else 0.0))
    before, fewest = (0, 2) if stage else (judgement.pairs, 1)
    needed = min(
        pairs_about(
            distance, _score_to_reach(level, stage) - known, power=POWER, deviation=judgement.deviation
        )
        for distance, level, known in goals
    )
    return max(math.ceil(needed) - before, fewest) if needed <= MAX_PAIRS else None


def _score_to_reach(level: float, stage: NextStage | None) -> float:
    """What all stages' normal scores must add up to."""
    if stage is None:
        return NORMAL.inv_cdf(1 - level)
    return math.sqrt(stage.stages + 1) * NORMAL.inv_cdf(1 - level * stage.share)


def _distance(effect: float, gate: Gate) -> float:
    return math.log((1 + effect) / (1 + gate.ratio))


def _level(gate: Gate) -> float:
    return SLOWER_SHARE * gate.alpha / expected(gate)
