"""Worlds: where the runs of many experiments come from, made up out of what is known of real machines.

Runs are made in the order A B B A. Every run's percentiles scatter by so many percent, of which 0.3 of the
variance is common to the run and 0.3 to the metric; latency drifts by 1 % from each run to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAIRS: Final = 10
DRIFT: Final = 0.01
BASE_NS: Final = 20e6
ATTEMPTS: Final = 30_000
"""Messages a run, of which some are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs of many experiments, baseline and candidate apart, pair by pair: (experiments, pairs, …)."""

    a: Floats
    """Logarithms of times in ns; the last axis has the statistics."""
    b: Floats
    lost_a: Floats | None = None
    """How many of `ATTEMPTS` were lost, (experiments, pairs); None where nothing is."""
    lost_b: Floats | None = None
    same: Floats | None = None
    """Log-ratios of pairs of A and A (``--calibrate``), (experiments, calibrations, statistics); None for none."""


World = Callable[[np.random.Generator, int, Floats], Runs]
"""Makes runs: so many experiments, with the candidate's true log-ratios by statistic."""


def in_order(pairs: int) -> tuple[list[int], list[int]]:
    """The places of A's and of B's runs in the order A B B A …."""
    places = [
        (2 * pair, 2 * pair + 1) if pair % 2 == 0 else (2 * pair + 1, 2 * pair) for pair in range(pairs)
    ]
    return [a for a, _ in places], [b for _, b in places]


def placed(logs: Floats, effects: Floats) -> tuple[Floats, Floats]:
    """Runs (experiments, runs, statistics) with drift, told apart by side, the candidate's effects added."""
    logs = logs + (np.arange(logs.shape[1]) * math.log1p(DRIFT))[:, None] + math.log(BASE_NS)
    a, b = in_order(logs.shape[1] // 2)
    return logs[:, a], logs[:, b] + effects


def shared_noise(rng: np.random.Generator, count: int, runs: int, statistics: int) -> Floats:
    """Unit-variance noise, partly common to a run and to a metric."""
    of_run = rng.normal(size=(count, runs, 1))
    of_metric = np.repeat(rng.normal(size=(count, runs, -(-statistics // 2))), 2, axis=2)[:, :, :statistics]
    of_each = rng.normal(size=(count, runs, statistics))
    return math.sqrt(0.3) * of_run + math.sqrt(0.3) * of_metric + math.sqrt(0.4) * of_each


def scattered(p50: float, p99: float | None = None, pairs: int = PAIRS) -> World:
    """Every percentile scatters between runs by so much."""

    def world(rng: np.random.Generator, count: int, effects: Floats) -> Runs:
        scale = np.array([p50, p50 if p99 is None else p99] * (len(effects) // 2 + 1))[: len(effects)]
        a, b = placed(scale * shared_noise(rng, count, 2 * pairs, len(effects)), effects)
        return Runs(a=a, b=b)

    return world


def side_by_side(
    *,
    common: float,
    restart: float,
    competing: float = 0.0,
    first: float = 0.0,
    place: float = 0.0,
    calibrations: int = 0,
) -> World:
    """Both runs of a pair at the same time. Deviations of logarithms, and one shift:

    - ``common``: what the machine does to both, alike from pair to pair (an AR(1) process, 0.7);
    - ``restart``: what a server happens to be like since its start, memory layout for instance;
    - ``competing``: what one side takes from the other;
    - ``first``: how much faster that side is which starts first, A and B in turn;
    - ``place``: how much slower the second side is by itself, whatever runs there. Only calibration can tell.
    """

    def world(rng: np.random.Generator, count: int, effects: Floats) -> Runs:
        shape = (count, PAIRS, 1)
        machine, stays = rng.normal(size=shape), 0.7
        for pair in range(1, PAIRS):
            machine[:, pair] = stays * machine[:, pair - 1] + math.sqrt(1 - stays**2) * machine[:, pair]
        level = math.log(BASE_NS) + (np.arange(PAIRS) * 2 * math.log1p(DRIFT))[:, None] + common * machine
        taken = competing * rng.normal(size=shape)
        turn = first / 2 * np.where(np.arange(PAIRS) % 2, 1.0, -1.0)[:, None]
        a, b = (restart * shared_noise(rng, count, PAIRS, len(effects)) for _ in range(2))
        same = None
        if calibrations:
            a2, b2 = (restart * shared_noise(rng, count, calibrations, len(effects)) for _ in range(2))
            same = b2 - a2 - 2 * competing * rng.normal(size=(count, calibrations, 1)) + place
        return Runs(a=level + a + taken + turn, b=level + b - taken - turn + place + effects, same=same)

    return world


def heavy_tailed(rng: np.random.Generator, count: int, effects: Floats) -> Runs:
    """5 %, by Student's t with 3 degrees of freedom: most runs agree better, some are far off."""
    noise = shared_noise(rng, count, 2 * PAIRS, len(effects))
    stretch = np.sqrt(1 / rng.chisquare(3, size=(count, 2 * PAIRS, 1)))  # a t of unit variance
    a, b = placed(0.05 * noise * stretch, effects)
    return Runs(a=a, b=b)


def disturbed(rng: np.random.Generator, count: int, effects: Floats) -> Runs:
    """5 %, and one run in ten takes twice as long: a neighbour came."""
    noise = 0.05 * shared_noise(rng, count, 2 * PAIRS, len(effects))
    a, b = placed(noise + math.log(2) * (rng.random(size=(count, 2 * PAIRS, 1)) < 0.1), effects)
    return Runs(a=a, b=b)


def correlated(rng: np.random.Generator, count: int, effects: Floats) -> Runs:
    """Nothing but the messages themselves: 30 s at 100/s, alike over 10 s, so that runs come out unlike.

    The level wanders (an AR(1) process in steps of a second, deviation 20 %), each message takes an
    exponential time on a floor. What runs scatter follows from that; ``effects`` has p50 and p99.
    """
    seconds, rate, stays = 30, 100, math.exp(-1 / 10)
    rows = []
    for _ in range(count):
        steps = rng.normal(size=(seconds, 2 * PAIRS))
        level = np.empty_like(steps)
        level[0] = steps[0]
        for at in range(1, seconds):
            level[at] = stays * level[at - 1] + math.sqrt(1 - stays**2) * steps[at]
        times = np.exp(0.2 * level)[:, :, None] * (
            1 + 0.2 * rng.standard_exponential((seconds, 2 * PAIRS, rate))
        )
        whole = np.sort(times.transpose(1, 0, 2).reshape(2 * PAIRS, -1), axis=1)
        rows.append(np.log(whole[:, [len(whole[0]) // 2 - 1, -(-99 * len(whole[0]) // 100) - 1]]))
    a, b = placed(np.array(rows), effects)
    return Runs(a=a, b=b)


def losing(share: float, more: float = 0.0) -> World:
    """5 %, and runs lose ``share`` of their messages, one run twice as many as another; B ``more`` of them.

    A message that is lost ranks above all others, so the p99 moves with what a run happens to lose.
    """

    def world(rng: np.random.Generator, count: int, effects: Floats) -> Runs:
        odds = rng.gamma(4, 1 / 4, size=(count, 2 * PAIRS))  # deviation 0.5: losses come in bursts
        a_at, b_at = in_order(PAIRS)
        truth = np.full(2 * PAIRS, share)
        truth[b_at] += more
        lost = rng.binomial(ATTEMPTS, np.minimum(truth * odds, 1.0)).astype(np.float64)
        noise = 0.05 * shared_noise(rng, count, 2 * PAIRS, len(effects))
        for at in range(len(effects)):
            rank = (0.5, 0.99)[at % 2] / (1 - lost / ATTEMPTS)  # among the answered
            with np.errstate(divide="ignore", invalid="ignore"):
                noise[:, :, at] += np.where(rank < 1, np.log(1 - 0.2 * np.log(1 - rank)), np.inf)
        a, b = placed(noise, effects)
        return Runs(a=a, b=b, lost_a=lost[:, a_at], lost_b=lost[:, b_at])

    return world
