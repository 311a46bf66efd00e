"""Jobs for the hub's thread, done one after the other in a greenlet of their own."""

from __future__ import annotations

import collections
import traceback
from collections.abc import Callable
from typing import Any, Final

import gevent
import gevent.event

SLICE: Final = 200
"""So many jobs are done before other greenlets get their turn."""


class Lane:
    """A queue and the greenlet that works it off; a job that blocks holds up its own lane only.

    ``on_error`` gets the traceback of a job that raised.
    """

    def __init__(self, on_error: Callable[[str], None]) -> None:
        self._on_error = on_error
        self._jobs: collections.deque[tuple[Callable[..., object], tuple[Any, ...]]] = collections.deque()
        self._woken = gevent.event.Event()
        self._worker = gevent.spawn(self._work)

    def add(self, job: Callable[..., object], *args: Any) -> None:
        """Queues a job, from any thread; `wake` has it done."""
        self._jobs.append((job, args))

    def wake(self) -> None:
        """On the hub's thread: there are jobs."""
        self._woken.set()

    def settle(self, timeout_s: float) -> bool:
        """Blocks the greenlet until all jobs so far are done; returns whether they were, in that time.

        A job that takes all that time is left to itself, and what is queued behind it is done.
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
        """If a job of this lane calls it, another greenlet does what is queued behind that job."""
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
