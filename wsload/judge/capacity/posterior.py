r"""What a few noisy steps tell about a capacity: a distribution of the border between holding and failing.

The method is probabilistic bisection: each step is one answer, holds or fails, that is wrong with some probability; by
Bayes' theorem it moves a distribution over the border, and the next step is made at its median (M. Horstein,
"Sequential transmission using noiseless feedback", IEEE Transactions on Information Theory 9, 1963; R. Waeber, P.
Frazier and S. Henderson, "Bisection search with noisy responses", SIAM Journal on Control and Optimization 51, 2013).

An answer's probability is a psychometric function, as in Bayesian staircases (A. Watson and D. Pelli, "QUEST",
Perception & Psychophysics 33, 1983; L. Kontsevich and C. Tyler, "Bayesian adaptive estimation of psychometric slope
and threshold", Vision Research 39, 1999). A step at the rate *r* holds, if the border is at *c*, with the
probability

    GUESS_RATE + (1 − GUESS_RATE − LAPSE_RATE) · Φ((ln c − ln r) / σ).

How blurred the border is, σ, is not known: it is one of `SPREADS`, each as likely as the other, and is summed out. A
step that was made *k* rounds ago may be off by k · `DRIFT` more: its variance is σ² + (k · DRIFT)². So the
distribution is of the capacity now. What this is worth on servers that keep to none of it is simulated:
docs/inside/capacity-simulation.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPREADS: Final = np.array([0.01, 0.04])
"""Standard deviations of the border from step to step, in the logarithm of the rate."""
LAPSE_RATE: Final = 0.02
"""How often a step fails whatever the rate: the machine paused, the server collected its garbage."""
GUESS_RATE: Final = 0.01
"""How often a step holds whatever the rate."""
DRIFT: Final = 0.01
"""By how much a capacity may change from round to round."""
GRID: Final = 0.0025
"""The distribution's resolution, in the logarithm of the rate."""
MARGIN: Final = math.log(2)
"""How far beyond the range the border may lie, in the logarithm of the rate."""

_AT: Final = np.linspace(-8, 8, 2_001)
_PHI: Final = np.array([NormalDist().cdf(z) for z in _AT])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of one step at one rate."""

    rate: float
    holds: bool
    number: int
    """The number of its round, from 1. A round is one step, or one step of each build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """A distribution over the border."""

    logs: Floats
    """The logarithms of the rates, `GRID` apart."""
    shares: Floats
    """The probability of each; they add up to 1."""

    def quantile(self, share: float) -> float:
        """The rate below which the border lies with this probability."""
        place = int(np.searchsorted(np.cumsum(self.shares), share))
        return math.exp(self.logs[min(place, len(self.logs) - 1)])

    def interval(self, level: float) -> tuple[float, float]:
        """The rates between which the border lies with this probability, as likely below as above."""
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def above(self, rate: float) -> float:
        """The probability that the border lies above this rate."""
        return float(self.shares[self.logs > math.log(rate) + GRID / 2].sum())


def posterior(answers: Sequence[Answer], low: float, high: float, now: int) -> Posterior:
    """The distribution after these answers, as of the round ``now``; without any, all of the range is as likely.

    ``low`` and ``high`` are the range of the search.
    """
    logs = np.arange(math.log(low) - MARGIN, math.log(high) + MARGIN + GRID, GRID)
    likely = np.zeros((len(SPREADS), len(logs)))
    for answer in answers:
        blur = np.hypot(SPREADS, DRIFT * (now - answer.number))[:, None]
        clear = np.interp((logs[None, :] - math.log(answer.rate)) / blur, _AT, _PHI)
        holds = GUESS_RATE + (1 - GUESS_RATE - LAPSE_RATE) * clear
        likely += np.log(holds if answer.holds else 1 - holds)
    shares = np.exp(likely - likely.max()).sum(axis=0)
    return Posterior(logs=logs, shares=shares / shares.sum())


def ratio(candidate: Posterior, baseline: Posterior) -> Posterior:
    """The distribution of candidate over baseline, whose errors are independent."""
    shares = np.convolve(candidate.shares, baseline.shares[::-1])
    first = candidate.logs[0] - baseline.logs[-1]
    return Posterior(logs=first + GRID * np.arange(len(shares)), shares=shares / shares.sum())
