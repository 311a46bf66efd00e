"""A queue of jobs for the hub's thread, executed in order by a greenlet of its own."""

from __future__ import annotations

import collections
import traceback
from collections.abc import Callable
from typing import Any, Final

import gevent
import gevent.event

SLICE: Final = 200
"""Jobs executed before other greenlets get a turn."""


class Lane:
    """A job queue and its greenlet; a job that blocks holds up only its own lane.

    ``on_error`` gets the traceback of a job that raised.
    """

    def __init__(self, on_error: Callable[[str], None]) -> None:
        self._on_error = on_error
        self._jobs: collections.deque[tuple[Callable[..., object], tuple[Any, ...]]] = collections.deque()
        self._woken = gevent.event.Event()
        self._worker = gevent.spawn(self._work)

    def add(self, job: Callable[..., object], *args: Any) -> None:
        """Queues a job, from any thread; call `wake` afterwards."""
        self._jobs.append((job, args))

    def wake(self) -> None:
        """Tells the greenlet that there are jobs. On the hub's thread."""
        self._woken.set()

    def settle(self, timeout_s: float) -> bool:
        """Blocks the greenlet until all jobs queued so far are done; returns whether they were within the timeout.

        After the timeout the current job is left to itself, and another greenlet executes those queued behind it.
        """
        settled = gevent.event.Event()
        self.add(settled.set)
        self.wake()
        if settled.wait(timeout_s):
            return True
        self._worker = gevent.spawn(self._work)
        settled.wait(timeout_s)
        return False

    def hand_over(self) -> None:
        """If called by a job of this lane: another greenlet executes the jobs queued behind it."""
        if gevent.getcurrent() is self._worker:
            self._worker = gevent.spawn(self._work)

    def _work(self) -> None:
        me, jobs, done = gevent.getcurrent(), self._jobs, 0
        while self._worker is me:
            if not jobs:
                self._woken.clear()
                self._woken.wait()
                continue
            job, args = jobs.popleft()
            try:
                job(*args)
            except Exception:
                self._on_error(traceback.format_exc())
            done += 1
            if done % SLICE == 0:
                gevent.sleep(0)
