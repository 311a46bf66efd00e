"""An alarm clock for the event loop that is never early and seldom late.

uvloop's own timers have a grain of 1 ms and go off up to 0.8 ms *early*: a load generator that
sends on them measures its timer. A Linux ``timerfd`` watched by the loop is late by 30 µs (median)
and never early. Where there is no ``timerfd`` (macOS), ``call_later`` serves, re-armed until the
time has really come, and ``kind`` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

_TFD_NONBLOCK: Final = 0o4000
_TFD_CLOEXEC: Final = 0o2000000
_TFD_TIMER_ABSTIME: Final = 1
_NS: Final = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Ring:
    """One callback due at one time; `cancel` it as often as you like."""

    __slots__ = ("_args", "_callback", "due_ns")

    def __init__(self, due_ns: int, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.due_ns = due_ns
        self._callback: Callable[..., object] | None = callback
        self._args = args

    def cancel(self) -> None:
        self._callback = None
        self._args = ()

    def go(self) -> None:
        if self._callback is not None:
            self._callback(*self._args)


class Alarm:
    """Calls back at absolute times of ``time.monotonic_ns``, in order, never before they have come.

    All its methods belong to the loop's thread. A callback that raises is reported to the loop's
    exception handler and does not keep the others waiting.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, timerfd: bool = sys.platform == "linux") -> None:
        self._loop = loop
        self._rings: list[tuple[int, int, Ring]] = []
        self._order = itertools.count()
        self._armed_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._fd = _timerfd_create() if timerfd else -1
        self._spec = _Itimerspec()
        self._closed = False
        self.kind: Final = "timerfd" if self._fd >= 0 else "call_later"
        """Which clock rings: ``timerfd`` or ``call_later`` (1 ms grain)."""
        if self._fd >= 0:
            loop.add_reader(self._fd, self._on_readable)

    def at(self, due_ns: int, callback: Callable[..., object], *args: Any) -> Ring:
        """Calls ``callback(*args)`` once ``time.monotonic_ns() >= due_ns``; at once if that is past."""
        ring = Ring(due_ns, callback, args)
        heapq.heappush(self._rings, (due_ns, next(self._order), ring))
        if not self._armed_ns or due_ns < self._armed_ns:
            self._arm(due_ns)
        return ring

    async def sleep_until(self, due_ns: int) -> None:
        """Returns once the time has come; at once, without yielding, when it is past."""
        if due_ns <= time.monotonic_ns():
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        ring = self.at(due_ns, _wake, waiter)
        try:
            await waiter
        finally:
            ring.cancel()

    def close(self) -> None:
        """Rings no more, whatever is still asked for."""
        self._closed = True
        self._rings.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _arm(self, due_ns: int) -> None:
        if self._closed:
            return
        # An absolute time of 0 would disarm it; any time in the past rings at once.
        self._armed_ns = max(due_ns, 1)
        if self._fd >= 0:
            value = self._spec.value
            value.sec, value.nsec = divmod(self._armed_ns, _NS)
            _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None)
        else:
            if self._timer is not None:
                self._timer.cancel()
            delay = max(0.0, (due_ns - time.monotonic_ns()) / _NS)
            self._timer = self._loop.call_later(delay, self._ring)

    def _on_readable(self) -> None:
        with contextlib.suppress(BlockingIOError):  # re-armed since: not due yet
            os.read(self._fd, 8)
        self._ring()

    def _ring(self) -> None:
        rings = self._rings
        now = time.monotonic_ns()
        self._armed_ns = 0
        # What a callback asks for anew has its turn after the loop's: sockets are not to wait for
        # a callback that is always late.
        due = []
        while rings and rings[0][0] <= now:
            due.append(heapq.heappop(rings)[2])
        for ring in due:
            if self._closed:
                return
            try:
                ring.go()
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "an alarm's callback failed", "exception": error}
                )
        if rings and (not self._armed_ns or rings[0][0] < self._armed_ns):
            self._arm(rings[0][0])


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


_libc: Any = ctypes.CDLL(None, use_errno=True)


def _timerfd_create() -> int:
    """A timerfd on CLOCK_MONOTONIC, or -1 where the system has none."""
    try:
        return int(_libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC))
    except AttributeError:
        return -1
