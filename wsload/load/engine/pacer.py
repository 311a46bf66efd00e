"""The pacer of ``--ws-rate`` and ``--ws-profile``: hands out due times, at a total rate, to ready workers in turn."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from wsload.load.engine.timers import Timer, TimerQueue
from wsload.measure.schedule import Course, SwarmRate

PER_TURN: Final = 1_000
"""Due times handed out in one iteration of the loop; the rest waits until the sockets were served."""
MAX_OVERDUE: Final = 10_000
"""Arrivals that may be overdue at once; older ones are counted as missed, in constant time."""


class Worker(Protocol):
    """Takes due times. It must not join or leave the pacer in these methods."""

    def take(self, due_ns: int) -> None:
        """A task was due at this monotonic time, which has passed (by the loop's lag)."""

    def take_missed(self, count: int) -> None:
        """This many tasks were due that the process is too slow to start; called instead of `take`.

        Must count them as unsent in constant time.
        """


class Pacer:
    """Spreads arrivals over the ready workers, round robin; while no worker is ready, nothing is due.

    ``rate_for(ready)`` returns the total rate. It is called whenever a worker joins or leaves, so that the rate
    ramps up with the swarm. All methods take constant time.

    Arrivals that became due while the loop was busy are handed out late, each with its own due time, up
    to `PER_TURN` in an iteration of the loop. If more than `MAX_OVERDUE` are overdue, the oldest are shed:
    one worker gets them in a single `Worker.take_missed`.
    """

    def __init__(
        self,
        timers: TimerQueue,
        rate_for: Callable[[int], float],
        *,
        poisson: bool,
        seed: int | None = None,
        course: Course | None = None,
    ):
        """With a ``course``, ``rate_for`` returns a multiple of that."""
        self._timers = timers
        self._rate_for = rate_for
        self._rate: Final = SwarmRate(time.monotonic_ns(), poisson=poisson, seed=seed, course=course)
        self._ready: OrderedDict[Worker, None] = OrderedDict()
        self._timer: Timer | None = None

    def join(self, worker: Worker) -> None:
        """Adds a worker that is ready."""
        now_ns = self._hand_out(MAX_OVERDUE)
        self._ready[worker] = None
        self._change(now_ns)

    def leave(self, worker: Worker) -> None:
        """Removes a worker, after handing out what was overdue."""
        if worker in self._ready:
            now_ns = self._hand_out(MAX_OVERDUE)
            del self._ready[worker]
            self._change(now_ns)

    def update(self) -> None:
        """Call it when ``rate_for`` returns another rate."""
        self._change(self._hand_out(MAX_OVERDUE))

    def follow(self, course: Course) -> None:
        """Goes on along another course, from now on."""
        self.update()
        self._rate.follow(course)
        self._arm()

    def interleave(self, other: Pacer) -> None:
        """Makes the next arrival fall in the middle between two of the other's; at the same, even rate all do."""
        now_ns = self._hand_out(MAX_OVERDUE)
        self._rate.move_next(now_ns, other._rate.middle_ns(now_ns))
        self._change(now_ns)

    def _hand_out(self, most: int) -> int:
        """Hands out up to ``most`` due times that have passed; returns the current time."""
        now_ns = time.monotonic_ns()
        rate = self._rate
        due_ns = rate.next_ns()
        if due_ns is None or due_ns > now_ns:
            return now_ns
        if missed := rate.shed(now_ns, MAX_OVERDUE):
            self._next_worker().take_missed(missed)
        for _ in range(most):
            due_ns = rate.next_ns()
            if due_ns is None or due_ns > now_ns:
                break
            rate.advance()
            self._next_worker().take(due_ns)
        return now_ns

    def _next_worker(self) -> Worker:
        worker = next(iter(self._ready))
        self._ready.move_to_end(worker)
        return worker

    def _change(self, now_ns: int) -> None:
        self._rate.change(now_ns, self._rate_for(len(self._ready)) if self._ready else 0.0)
        self._arm()

    def _arm(self) -> None:
        due_ns, timer = self._rate.next_ns(), self._timer
        if timer is not None:
            if due_ns is not None and timer.due_ns <= due_ns:
                return  # it fires early and re-arms
            timer.cancel()
        self._timer = None if due_ns is None else self._timers.at(due_ns, self._due)

    def _due(self) -> None:
        self._timer = None
        self._hand_out(PER_TURN)
        self._arm()
