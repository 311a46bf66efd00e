"""When users arrive: evenly, where Locust starts a second's worth of them in one go.

Fifty users who open at the same instant wait for each other, and mostly within the load generator: a
fifth of a millisecond's ``open`` was shown as ten. So those that are started together are due one after
the other, until Locust's dispatcher starts the next ones a second later.
"""

from __future__ import annotations

import collections
import gc
import math
import time
from collections.abc import Callable
from typing import Final

import gevent

SECOND_NS: Final = 1_000_000_000
GOLDEN_RATIO: Final = (math.sqrt(5) - 1) / 2


class Arrivals:
    """Collects the users started without the hub having its turn, then admits them.

    On the hub's thread. ``phase`` says where, between two of its own, this process's users come, from 0
    to 1: workers are told of their users all at once. ``now_ns`` is the clock of all due times, monotonic.
    """

    def __init__(
        self, phase: Callable[[], float] = lambda: 0.0, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._phase = phase
        self._now_ns = now_ns
        self._admissions: collections.deque[Callable[[int], object]] = collections.deque()

    def add(self, admit: Callable[[int], object]) -> None:
        """Has ``admit`` called soon, with the time at which this user is due."""
        if not self._admissions:
            gevent.get_hub().loop.run_callback(self._admit)
        self._admissions.append(admit)

    def _admit(self) -> None:
        # Who came before is likely to stay: the collector need not walk them all again.
        gc.freeze()
        began_ns, number, phase = self._now_ns(), len(self._admissions), self._phase()
        try:
            for place in range(number):
                self._admissions.popleft()(began_ns + int((place + phase) * SECOND_NS / number))
        finally:
            if self._admissions:
                gevent.get_hub().loop.run_callback(self._admit)


def phase_of_worker(index: int) -> float:
    """A phase for each of any number of workers, from 0 up, as far apart as can be.

    Multiples of the golden ratio, modulo 1: the additive recurrence of lowest discrepancy (Knuth, "The Art
    of Computer Programming", volume 3, section 6.4).
    """
    return max(index, 0) * GOLDEN_RATIO % 1
