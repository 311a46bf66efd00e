"""When sends are due: pure arithmetic on nanoseconds, no clock read, no sleeping.

A schedule answers one question, like vegeta's ``Pacer``: how long after the start is send number
``n`` due? The answer never depends on how earlier sends went, which is what makes the workload
*open*: a stalled server does not slow the arrivals down, so no latency is omitted.
"""

from __future__ import annotations

import random
from typing import Final, Protocol

SECOND_NS: Final = 1_000_000_000


class Schedule(Protocol):
    """An endless, non-decreasing series of due times."""

    def due_ns(self) -> int:
        """The next due time, in ns after the schedule's start; each call moves on by one."""
        ...


class ConstantRate:
    """``rate`` sends a second, evenly spaced, the first one ``phase`` (0 to 1) of a gap after the start.

    Due times are computed from their number, so they do not drift: the n-th is exact to 1 ns.
    """

    __slots__ = ("_number", "_phase", "rate")

    def __init__(self, rate: float, phase: float = 0.0) -> None:
        if not 0 < rate < SECOND_NS:
            raise ValueError(f"a rate is a number of sends a second above 0, not {rate}")
        self.rate = rate
        self._phase = phase
        self._number = 0

    def due_ns(self) -> int:
        due = int((self._number + self._phase) * SECOND_NS / self.rate)
        self._number += 1
        return due


class PoissonRate:
    """``rate`` sends a second on average, with independent exponential gaps: a Poisson process.

    The same ``seed`` gives the same series.
    """

    __slots__ = ("_random", "_t_ns", "rate")

    def __init__(self, rate: float, seed: int | None = None) -> None:
        if not 0 < rate < SECOND_NS:
            raise ValueError(f"a rate is a number of sends a second above 0, not {rate}")
        self.rate = rate
        self._random = random.Random(seed)
        self._t_ns = 0.0

    def due_ns(self) -> int:
        self._t_ns += self._random.expovariate(self.rate) * SECOND_NS
        return int(self._t_ns)
