"""When sends are due: pure arithmetic on nanoseconds, without reading clocks or sleeping.

Like vegeta's ``Pacer``, a schedule answers one question: how long after the start is send number ``n`` due? The answer
never depends on how earlier sends went. That makes the workload *open*: a stalled server does not slow down arrivals,
so there is no coordinated omission.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Final, Protocol

SECOND_NS: Final = 1_000_000_000


class Schedule(Protocol):
    """An endless, non-decreasing series of due times."""

    rate: float
    """Due times per second, on average."""

    def due_ns(self) -> int:
        """The next due time, in ns after the schedule's start; each call advances by one."""
        ...

    def skip(self, number: int) -> None:
        """Skips this many due times, in constant time."""
        ...


class ConstantRate:
    """``rate`` sends per second, evenly spaced, the first one ``phase`` (0 to 1) of a gap after the start.

    Due times are computed from their number, so they don't drift: the n-th is exact to 1 ns.
    """

    __slots__ = ("_number", "_phase", "rate")

    def __init__(self, rate: float, phase: float = 0.0) -> None:
        if not 0 < rate < SECOND_NS:
            raise ValueError(f"a rate must be above 0 sends per second and finite, not {rate}")
        self.rate = rate
        self._phase = phase
        self._number = 0

    def due_ns(self) -> int:
        due = round((self._number + self._phase) * SECOND_NS / self.rate)
        self._number += 1
        return due

    def skip(self, number: int) -> None:
        self._number += number


class PoissonRate:
    """``rate`` sends per second on average, with independent exponential gaps: a Poisson process.

    The same ``seed`` gives the same series.
    """

    __slots__ = ("_random", "_t_ns", "rate")

    def __init__(self, rate: float, seed: int | None = None) -> None:
        if not 0 < rate < SECOND_NS:
            raise ValueError(f"a rate must be above 0 sends per second and finite, not {rate}")
        self.rate = rate
        self._random = random.Random(seed)
        self._t_ns = 0.0

    def due_ns(self) -> int:
        self._t_ns += self._random.expovariate(self.rate) * SECOND_NS
        return int(self._t_ns)

    def skip(self, number: int) -> None:
        self._t_ns += number / self.rate * SECOND_NS  # as many average gaps


class Course(Protocol):
    """What the rate of a `SwarmRate` is relative to: by default the seconds that pass."""

    def between(self, from_ns: int, to_ns: int) -> float:
        """How much of it passes from one time to another."""
        ...

    def after(self, from_ns: int, amount: float) -> int | None:
        """The time at which ``amount`` more has passed; None if that never happens."""
        ...


class Seconds:
    """The course of a constant rate."""

    @staticmethod
    def between(from_ns: int, to_ns: int) -> float:
        return (to_ns - from_ns) / SECOND_NS

    @staticmethod
    def after(from_ns: int, amount: float) -> int | None:
        return from_ns + int(amount * SECOND_NS)


class SwarmRate:
    """Arrivals, evenly spaced or Poisson, at a rate that may change at any time without losing or doubling one.

    Arrival ``n`` is due when the integral of the rate reaches the n-th point of a unit-rate series (the time-scale
    transformation of a Poisson process; Cinlar, "Introduction to Stochastic Processes", 1975, section 4.7). So however
    often the rate changes, the number of arrivals is the integral of the rate, and a rate of 0 pauses them. With a
    course whose own rate varies (`wsload.measure.profile`), the rate is a multiple of that.
    """

    __slots__ = ("_at_ns", "_course", "_next_point", "_passed", "_random", "rate")

    def __init__(
        self, start_ns: int, *, poisson: bool = False, seed: int | None = None, course: Course | None = None
    ) -> None:
        self.rate = 0.0
        """Arrivals per second, or per unit of the course, since the last change."""
        self._course = course or Seconds()
        self._at_ns = start_ns
        self._passed = 0.0
        self._random = random.Random(seed) if poisson else None
        self._next_point = self._gap()

    def _gap(self) -> float:
        return self._random.expovariate(1.0) if self._random is not None else 1.0

    def change(self, now_ns: int, rate: float) -> None:
        """Sets the rate from ``now_ns`` on; ``now_ns`` never decreases."""
        if rate < 0:
            raise ValueError(f"a rate can't be negative: {rate}")
        self._passed += self.rate * self._course.between(self._at_ns, now_ns)
        self._at_ns = now_ns
        self.rate = rate

    def follow(self, course: Course) -> None:
        """Replaces the course; what has passed of the earlier one until the last `change` counts."""
        self._course = course

    def next_ns(self) -> int | None:
        """When the next arrival is due at the current rate; None while the rate is 0, or where none comes."""
        if not self.rate:
            return None
        return self._course.after(self._at_ns, (self._next_point - self._passed) / self.rate)

    def advance(self) -> None:
        """Takes the next arrival."""
        self._next_point += self._gap()

    def middle_ns(self, now_ns: int) -> int | None:
        """The first middle between two arrivals from ``now_ns`` on, at an even rate; None while the rate is 0."""
        due_ns = self.next_ns()
        if due_ns is None:
            return None
        gap_ns = round(SECOND_NS / self.rate)
        return now_ns + (due_ns + gap_ns // 2 - now_ns) % gap_ns

    def move_next(self, now_ns: int, due_ns: int | None) -> None:
        """Makes the next arrival due at ``due_ns``, which is less than a gap from now; None changes nothing."""
        if due_ns is not None and self.rate:
            self.change(now_ns, self.rate)
            self._next_point = self._passed + self.rate * self._course.between(now_ns, due_ns)

    def shed(self, now_ns: int, keep: int) -> int:
        """Drops the arrivals due by ``now_ns``, except for the newest ``keep``; returns how many were dropped.

        Takes constant time. Poisson arrivals are dropped only when 1,000 or more are in excess: their number is drawn
        from the normal distribution, and the process, being memoryless, simply continues from there.
        """
        overdue = self._passed + self.rate * self._course.between(self._at_ns, now_ns) - self._next_point
        excess = overdue - keep
        if self._random is None:
            count = max(math.floor(excess) + 1, 0)
            self._next_point += count
        elif excess >= 1_000:
            count = 1 + max(round(self._random.gauss(excess, excess**0.5)), 0)
            self._next_point += excess + self._gap()
        else:
            count = 0
        return count


def backoff() -> Iterator[float]:
    """Delays between attempts in seconds, doubling from 0.1 to 10, with jitter: each is 50 to 100 % of that."""
    delay = 0.1
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, 10.0)
