"""Linux timerfds (timerfd_create(2)): a kernel timer on the monotonic clock that a loop can watch."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any, Final

from wsload.measure.schedule import SECOND_NS

_NONBLOCK: Final = 0o4000
_CLOEXEC: Final = 0o2000000
_ABSTIME: Final = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


if sys.version_info >= (3, 13) and sys.platform == "linux":

    def create() -> int:
        """The file descriptor of a new timer, or -1 if the system has no timerfd."""
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

    def arm(fd: int, due_ns: int, interval_ns: int = 0) -> None:
        """Makes the timer readable at ``due_ns`` (monotonic, above 0), at once if that has passed.

        With an interval it becomes readable again every ``interval_ns``.
        """
        os.timerfd_settime_ns(fd, flags=os.TFD_TIMER_ABSTIME, initial=due_ns, interval=interval_ns)

else:
    _libc: Any = ctypes.CDLL(None, use_errno=True)
    _spec = _Itimerspec()

    def create() -> int:
        try:
            return int(_libc.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC))
        except AttributeError:
            return -1

    def arm(fd: int, due_ns: int, interval_ns: int = 0) -> None:
        _spec.value.sec, _spec.value.nsec = divmod(due_ns, SECOND_NS)
        _spec.interval.sec, _spec.interval.nsec = divmod(interval_ns, SECOND_NS)
        _libc.timerfd_settime(fd, _ABSTIME, ctypes.byref(_spec), None)
