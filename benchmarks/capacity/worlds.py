"""Simulated servers, whose capacity is known: each says of a step at a rate whether it holds.

The capacity is the rate at which a step holds as often as not. It lies anywhere in the range that is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

LOW: Final = 100.0
HIGH: Final = 20_000.0
STALLS: Final = 0.05
DRIFT: Final = 0.01
MESSAGES: Final = 5_000
"""Of a step of a simulated queue."""
LIMIT: Final = math.log(100) / 0.1
"""Its bound on p99, in service times: a queue that is busy nine tenths of the time has this p99 in the long run."""
_RUNS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One kind of server, and what happens to it."""

    name: str
    knee: Callable[[np.random.Generator], Callable[[float], bool]]
    """Makes one server: whether a step holds, at a rate that is so many times its capacity."""
    stalls: float = 0.0
    """So many steps fail whatever the rate."""
    drift: float = 0.0
    """By so much the capacity changes from step to step, up or down."""


class Server:
    """One server, and its capacity by now."""

    def __init__(
        self, world: World, rng: np.random.Generator, *, capacity: float = 0.0, drift: float | None = None
    ):
        """Its capacity lies anywhere in the range, unless it is given, as may be its ``drift``."""
        self.capacity = capacity or math.exp(rng.uniform(math.log(1.2 * LOW), math.log(HIGH / 1.2)))
        self._stalls, self._rng = world.stalls, rng
        self._drift = float(rng.choice((-1, 1))) * world.drift if drift is None else drift
        self._holds = world.knee(rng)

    def step(self, rate: float) -> bool:
        """Whether a step holds."""
        return self._rng.random() >= self._stalls and self._holds(rate / self.capacity)

    def drifts(self) -> None:
        """A round has passed."""
        self.capacity *= math.exp(self._drift)


def bucket(rng: np.random.Generator) -> Callable[[float], bool]:
    """A token bucket: it holds below its rate, and fails above."""
    return lambda load: load < 1


def knee(
    scatter: float, least: float = 0.8, most: float = 0.97
) -> Callable[[np.random.Generator], Callable[[float], bool]]:
    """M/M/1: the p99 of the sojourn time is ln 100 / (μ − λ), measured with a lognormal error of ``scatter``.

    The bound on it is met when the server is busy for a share of the time between ``least`` and ``most``. (L.
    Kleinrock, "Queueing Systems", volume 1, 1975, section 3.2.)
    """

    def server(rng: np.random.Generator) -> Callable[[float], bool]:
        busy = rng.uniform(least, most)

        def holds(load: float) -> bool:
            if load * busy >= 1:
                return False
            return bool((1 - busy) / (1 - load * busy) * math.exp(rng.normal(0, scatter)) < 1)

        return holds

    return server


def queue(rng: np.random.Generator) -> Callable[[float], bool]:
    """An M/M/1 queue that is simulated message by message, from empty, with the p99 that comes out."""
    return lambda load: _queue_holds(rng, load * busy_at_border())


def _queue_holds(rng: np.random.Generator, busy: float) -> bool:
    """By Lindley's recursion, in units of the service time (D. Lindley, Proc. Cambridge Phil. Soc. 48, 1952)."""
    served = rng.exponential(1.0, MESSAGES)
    walk = np.concatenate([[0.0], np.cumsum(served[:-1] - rng.exponential(1 / busy, MESSAGES - 1))])
    waits = walk - np.minimum.accumulate(walk)
    return bool(np.quantile(waits + served, 0.99) < LIMIT)


@cache
def busy_at_border() -> float:
    """How busy the simulated queue is where half of its steps hold, by bisection."""
    rng = np.random.default_rng(5)
    low, high = 0.5, 1.2
    for _ in range(9):
        middle = (low + high) / 2
        holding = sum(_queue_holds(rng, middle) for _ in range(_RUNS))
        low, high = (middle, high) if 2 * holding > _RUNS else (low, middle)
    return (low + high) / 2


WORLDS: Final = (
    World(name="a sharp border: a token bucket", knee=bucket),
    World(name="M/M/1, p99 scatters by 5 %", knee=knee(0.05)),
    World(name="M/M/1, p99 scatters by 10 %", knee=knee(0.1)),
    World(name="M/M/1, p99 scatters by 20 %", knee=knee(0.2)),
    World(name="M/M/1, a bound far from the knee, 5 %", knee=knee(0.05, 0.5, 0.8)),
    World(name="an M/M/1 queue, message by message", knee=queue),
    World(name="M/M/1, 10 %; one step in 20 stalls", knee=knee(0.1), stalls=STALLS),
    World(name="M/M/1, 10 %; drifts by 1 % a step", knee=knee(0.1), drift=DRIFT),
    World(name="M/M/1, 10 %; stalls and drifts", knee=knee(0.1), stalls=STALLS, drift=DRIFT),
)
