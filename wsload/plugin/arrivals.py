"""When users arrive: evenly, where Locust starts a second's worth of them in one go.

Fifty users who open at the same instant wait for each other, and mostly within the load generator: a
fifth of a millisecond's ``open`` was shown as ten. So those that are started together are due one after
the other, until Locust's dispatcher starts the next ones a second later.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

import gevent

SECOND_NS: Final = 1_000_000_000


class Arrivals:
    """Collects the users started without the hub having its turn, then admits them.

    On the hub's thread. ``now_ns`` is the clock of all due times, monotonic.
    """

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._admissions: list[Callable[[int], object]] = []

    def add(self, admit: Callable[[int], object]) -> None:
        """Has ``admit`` called soon, with the time at which this user is due: the first of all at once."""
        if not self._admissions:
            gevent.get_hub().loop.run_callback(self._admit)
        self._admissions.append(admit)

    def _admit(self) -> None:
        admissions, self._admissions = self._admissions, []
        # Who came before is here to stay, and leaves no garbage: the collector need not walk them all again.
        gc.freeze()
        began_ns, number = self._now_ns(), len(admissions)
        for place, admit in enumerate(admissions):
            admit(began_ns + place * SECOND_NS // number)
