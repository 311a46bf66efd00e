"""Spreads the arrivals of users evenly, although Locust starts a second's worth of them at once.

Fifty users who connect at the same instant wait for each other, mostly inside the load generator: an ``open`` of
0.2 ms was measured as 10 ms. So users that are started together become due one after the other, within the second
until Locust's dispatcher starts the next ones.
"""

from __future__ import annotations

import collections
import gc
import math
import time
from collections.abc import Callable
from typing import Final

import gevent

from wsload.measure.schedule import SECOND_NS

GOLDEN_RATIO: Final = (math.sqrt(5) - 1) / 2


class Arrivals:
    """Collects the users that Locust starts in one go, then admits them. On the hub's thread.

    ``phase`` returns the offset of this worker's arrivals, as a fraction (0 to 1) of their spacing, so that workers
    interleave. ``now_ns`` is the monotonic clock of all due times.
    """

    def __init__(
        self, phase: Callable[[], float] = lambda: 0.0, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._phase = phase
        self._now_ns = now_ns
        self._admissions: collections.deque[Callable[[int], object]] = collections.deque()

    def add(self, admit: Callable[[int], object]) -> None:
        """Calls ``admit`` soon, with the time at which this user is due."""
        if not self._admissions:
            gevent.get_hub().loop.run_callback(self._admit)
        self._admissions.append(admit)

    def _admit(self) -> None:
        # Earlier users are likely to stay, so the garbage collector need not traverse them again.
        gc.freeze()
        began_ns, number, phase = self._now_ns(), len(self._admissions), self._phase()
        try:
            for place in range(number):
                self._admissions.popleft()(began_ns + int((place + phase) * SECOND_NS / number))
        finally:
            if self._admissions:
                gevent.get_hub().loop.run_callback(self._admit)


def phase_of_worker(index: int) -> float:
    """The phase of a worker, by its index from 0; the phases of any number of workers are well spread.

    Multiples of the golden ratio, modulo 1: the additive recurrence of lowest discrepancy (Knuth, "The Art
    of Computer Programming", volume 3, section 6.4).
    """
    return max(index, 0) * GOLDEN_RATIO % 1
