"""Linux timerfds (timerfd_create(2)): a kernel timer on the monotonic clock that a loop can watch.

Unlike those of `os`, the calls hold the GIL. They take half a microsecond; a thread that released the GIL for them
would have to wait for other threads to get it back, and ten timers due at once would be milliseconds late.
"""

from __future__ import annotations

import ctypes
import struct
import time
from typing import Any, Final

from wsload.measure.schedule import SECOND_NS

_NONBLOCK: Final = 0o4000
_CLOEXEC: Final = 0o2000000
_ABSTIME: Final = 1
_libc: Final[Any] = ctypes.PyDLL(None)
_spec: Final = (ctypes.c_long * 4)()
"""``struct itimerspec``: the interval and the time, in seconds and nanoseconds."""
_pack: Final = struct.Struct("4l").pack_into
_count: Final = ctypes.create_string_buffer(8)


def create() -> int:
    """The file descriptor of a new timer, or -1 if the system has no timerfd."""
    try:
        return int(_libc.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCK | _CLOEXEC))
    except AttributeError:
        return -1


def arm(fd: int, due_ns: int, interval_ns: int = 0) -> None:
    """Makes the timer readable at ``due_ns`` (monotonic, above 0), at once if that has passed.

    With an interval it becomes readable again every ``interval_ns``.
    """
    _pack(_spec, 0, *divmod(interval_ns, SECOND_NS), *divmod(due_ns, SECOND_NS))
    _libc.timerfd_settime(fd, _ABSTIME, _spec, None)


def clear(fd: int) -> None:
    """Makes the timer unreadable until it is due (again), if it was readable."""
    _libc.read(fd, _count, 8)
