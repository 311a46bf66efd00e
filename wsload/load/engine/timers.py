"""Timers for the event loop that are never early and seldom late.

uvloop's own timers have a resolution of 1 ms and fire up to 0.8 ms *early*, so a load generator that
sends on them measures its own timers. A Linux timerfd watched by the loop is late by 30 µs (median) and
never early. Where there is none (macOS), `TimerQueue` falls back on ``call_later``, and re-arms it until
the time has really come.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import heapq
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from wsload.load.engine import timerfd as fd_timer
from wsload.measure.lateness import Lateness
from wsload.measure.schedule import SECOND_NS

TURNS: Final = 20
"""A task whose time limit has passed gets this many iterations of the loop to handle what was read: each of its awaits
may take one."""


class Source(Protocol):
    """Where what a `Deadline` waits for comes from."""

    def unread(self, since_ns: int) -> bool:
        """Whether something that had arrived by then is still to be read. Later arrivals don't prolong that."""


class Timer:
    """One callback due at one time."""

    __slots__ = ("_args", "_callback", "due_ns")

    def __init__(self, due_ns: int, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.due_ns = due_ns
        self._callback: Callable[..., object] | None = callback
        self._args = args

    def cancel(self) -> None:
        """The callback will not be called; cancelling twice, or after the call, does nothing."""
        self._callback = None
        self._args = ()

    @property
    def cancelled(self) -> bool:
        return self._callback is None

    def fire(self) -> None:
        """Calls the callback unless it was cancelled."""
        if self._callback is not None:
            self._callback(*self._args)


class Deadline(Timer):
    """A timer for what has not come by then. It fires once the loop has read what is there: a loop that is late must
    not take what came in time for missing. A source may need several iterations for that."""

    __slots__ = ("_loop", "_source")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        due_ns: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        source: Source | None = None,
    ) -> None:
        super().__init__(due_ns, callback, args)
        self._loop = loop
        self._source = source

    def cancel(self) -> None:
        super().cancel()
        self._source = None

    def fire(self) -> None:
        if not self.cancelled:
            # Twice, since the rest of this iteration handles what was polled before, perhaps long ago.
            self._loop.call_soon(self._loop.call_soon, self._pass, 0)

    def _pass(self, polled_ns: int) -> None:
        polled_ns = polled_ns or time.monotonic_ns()
        if self._source is not None and self._source.unread(polled_ns):
            self._loop.call_soon(self._pass, polled_ns)
        else:
            super().fire()


class TimerQueue:
    """Calls back at absolute times of ``time.monotonic_ns``, in order, never early.

    Use it on the loop's thread only. A callback that raises is reported to the loop's exception handler, and does
    not keep the others from being called.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, timerfd: bool = sys.platform == "linux") -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._armed_ns = 0
        self._handle: asyncio.TimerHandle | None = None
        self._fd = fd_timer.create() if timerfd else -1
        self._closed = False
        self.lateness = Lateness()
        """That of this loop's heartbeat, if it has one; see `Lateness.look`."""
        self.kind: Final = "timerfd" if self._fd >= 0 else "call_later"
        """What wakes the queue: ``timerfd``, or ``call_later`` with a resolution of 1 ms."""
        if self._fd >= 0:
            loop.add_reader(self._fd, self._on_readable)

    def at(self, due_ns: int, callback: Callable[..., object], *args: Any) -> Timer:
        """Calls ``callback(*args)`` once ``time.monotonic_ns() >= due_ns``; soon if that has passed."""
        return self._add(Timer(due_ns, callback, args))

    def deadline(
        self, due_ns: int, callback: Callable[..., object], *args: Any, source: Source | None = None
    ) -> Timer:
        """Like `at`, but what has arrived by then is read first, and may cancel the timer."""
        return self._add(self.new_deadline(due_ns, callback, args, source))

    def new_deadline(
        self, due_ns: int, callback: Callable[..., object], args: tuple[Any, ...], source: Source | None
    ) -> Deadline:
        """A `Deadline` of this loop for another queue."""
        return Deadline(self._loop, due_ns, callback, args, source)

    @contextlib.asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        """Like `asyncio.timeout`, but what has arrived by then is read first, and may end the block."""

        over = False

        def passed(turns: int) -> None:
            if over:
                return
            if turns:
                self._loop.call_soon(passed, turns - 1)
            else:
                block.reschedule(self._loop.time())

        async with asyncio.timeout(None) as block:
            timer = self.deadline(time.monotonic_ns() + int(seconds * 1e9), passed, TURNS)
            try:
                yield
            finally:
                over = True
                timer.cancel()

    def _add(self, timer: Timer) -> Timer:
        due_ns = timer.due_ns
        heapq.heappush(self._heap, (due_ns, next(self._order), timer))
        if not self._armed_ns or due_ns < self._armed_ns:
            self._arm(due_ns)
        return timer

    async def sleep_until(self, due_ns: int) -> None:
        """Returns once the time has come; without yielding if it has passed."""
        if due_ns <= time.monotonic_ns():
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        timer = self.at(due_ns, _wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()

    def close(self) -> None:
        """Drops all timers; later ones never fire."""
        self._closed = True
        self._heap.clear()
        if self._handle is not None:
            self._handle.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def fire(self, timer: Timer) -> None:
        """Fires the timer now; an exception goes to the loop's exception handler."""
        try:
            timer.fire()
        except Exception as error:
            self._loop.call_exception_handler({"message": "a timer's callback failed", "exception": error})

    def _arm(self, due_ns: int) -> None:
        if self._closed:
            return
        # An absolute time of 0 would disarm a timerfd; any time in the past fires at once.
        self._armed_ns = max(due_ns, 1)
        if self._fd >= 0:
            fd_timer.arm(self._fd, self._armed_ns)
        else:
            if self._handle is not None:
                self._handle.cancel()
            delay_s = max(0.0, (due_ns - time.monotonic_ns()) / SECOND_NS)
            self._handle = self._loop.call_later(delay_s, self._fire)

    def _on_readable(self) -> None:
        fd_timer.clear(self._fd)  # does nothing where it was re-armed meanwhile, and is not due yet
        self._fire()

    def _fire(self) -> None:
        heap = self._heap
        now = time.monotonic_ns()
        if now > self.lateness.due_ns:
            self.lateness.look(now)
        self._armed_ns = 1  # what callbacks add is armed below, once for all
        # Timers added by a callback fire in a later iteration, so that sockets never wait for a timer that re-arms
        # itself for a time in the past.
        due = []
        while heap and heap[0][0] <= now:
            due.append(heapq.heappop(heap)[2])
        try:
            for timer in due:
                if self._closed:
                    return
                self.fire(timer)
        finally:
            self._armed_ns = 0
            if heap:
                self._arm(heap[0][0])


class DelayQueue:
    """Timers with one common delay: adding, cancelling and firing one takes constant time.

    They become due in the order in which they were added, so a plain queue holds them, and only the first is
    in the `TimerQueue`: 20,000 keepalive timers cost no more than one. With ``deadlines`` each is a `Deadline`.
    """

    def __init__(self, timers: TimerQueue, delay_ns: int, *, deadlines: bool = False) -> None:
        self.delay_ns: Final = delay_ns
        self._deadlines: Final = deadlines
        self._timers = timers
        self._waiting: collections.deque[Timer] = collections.deque()

    def add(self, callback: Callable[..., object], *args: Any, source: Source | None = None) -> Timer:
        """Calls ``callback(*args)`` in ``delay_ns`` from now. The ``source`` is a deadline's."""
        due_ns = time.monotonic_ns() + self.delay_ns
        if self._deadlines:
            timer: Timer = self._timers.new_deadline(due_ns, callback, args, source)
        else:
            timer = Timer(due_ns, callback, args)
        self._waiting.append(timer)
        if len(self._waiting) == 1:
            self._timers.at(timer.due_ns, self._fire)
        return timer

    def _fire(self) -> None:
        waiting, now = self._waiting, time.monotonic_ns()
        due = []
        while waiting and (waiting[0].due_ns <= now or waiting[0].cancelled):
            due.append(waiting.popleft())
        if waiting:
            self._timers.at(waiting[0].due_ns, self._fire)
        for timer in due:
            self._timers.fire(timer)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
