"""The swarm's pacer: hands out due times at a total rate to whoever is ready, in turn."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import Final, Protocol

from wsload.load.engine.timers import Alarm, Ring
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
        """This worker is ready, until it leaves."""
        now = self._hand_out()
        self._ready.append(worker)
        self._change(now)

    def leave(self, worker: Worker) -> None:
        """This worker takes no more; its share of what was overdue by now it was just given."""
        if worker in self._ready:
            now = self._hand_out()
            self._ready.remove(worker)
            self._change(now)

    def update(self) -> None:
        """What the ready share has changed."""
        self._change(self._hand_out())

    def _hand_out(self) -> int:
        # After a late wake every arrival that was due meanwhile is handed out, each with its own due
        # time: also before the rate changes, which would stretch what is left of the old one.
        now = time.monotonic_ns()
        due_ns = self._rate.next_ns()
        while due_ns is not None and due_ns <= now:
            worker = self._ready[0]
            self._ready.rotate(-1)
            self._rate.advance()
            self.issued += 1
            worker.take(due_ns)
            due_ns = self._rate.next_ns()
        return now

    def _change(self, now_ns: int) -> None:
        self._rate.change(now_ns, self._rate_for(len(self._ready)) if self._ready else 0.0)
        self._arm()

    def _arm(self) -> None:
        if self._ring is not None:
            self._ring.cancel()
        due_ns = self._rate.next_ns()
        self._ring = None if due_ns is None else self._alarm.at(due_ns, self._due)

    def _due(self) -> None:
        self._hand_out()
        self._arm()
