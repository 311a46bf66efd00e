"""The swarm's pacer: hands out due times at a total rate to whoever is ready, in turn."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import Final, Protocol

from wsload.engine.alarm import Alarm, Ring
from wsload.measure.schedule import SwarmRate


class Worker(Protocol):
    """Somebody who takes due times."""

    def take(self, due_ns: int) -> None:
        """A task is due at this monotonic time; called when it has come, or later by the loop's lag."""


class Pacer:
    """Spreads arrivals over the ready workers, round robin; nobody ready, nothing is due.

    The rate is asked for anew whenever somebody comes or goes, so that it ramps with the swarm.
    """

    def __init__(
        self, alarm: Alarm, rate_for: Callable[[int], float], *, poisson: bool, seed: int | None = None
    ):
        self._alarm = alarm
        self._rate_for = rate_for
        self._rate: Final = SwarmRate(time.monotonic_ns(), poisson=poisson, seed=seed)
        self._ready: collections.deque[Worker] = collections.deque()
        self._ring: Ring | None = None
        self.issued = 0
        """Due times handed out so far."""

    def join(self, worker: Worker) -> None:
        self._ready.append(worker)
        self.update()

    def leave(self, worker: Worker) -> None:
        if worker in self._ready:
            self._ready.remove(worker)
            self.update()

    def update(self) -> None:
        """The number of the ready, or what they share, has changed."""
        self._rate.change(time.monotonic_ns(), self._rate_for(len(self._ready)) if self._ready else 0.0)
        self._arm()

    def _arm(self) -> None:
        if self._ring is not None:
            self._ring.cancel()
        due = self._rate.next_ns()
        self._ring = None if due is None else self._alarm.at(due, self._due, due)

    def _due(self, due_ns: int | None) -> None:
        # After a late wake every arrival that was due meanwhile is handed out, each with its own due time.
        now = time.monotonic_ns()
        while due_ns is not None and due_ns <= now and self._ready:
            worker = self._ready[0]
            self._ready.rotate(-1)
            self._rate.advance()
            self.issued += 1
            worker.take(due_ns)
            due_ns = self._rate.next_ns()
        self._arm()
