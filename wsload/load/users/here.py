"""What belongs to the task that runs here: when it was due, its steps' waits, and whether it greets a connection.

All three are in its context, so that what it starts, in copies of that, has them too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final


class Due:
    """When a task of an open workload was due."""

    __slots__ = ("due_ns", "lag_ns")

    def __init__(self, due_ns: int, lag_ns: int) -> None:
        self.due_ns = due_ns
        self.lag_ns = lag_ns
        """How late the load generator started the task."""

    def take(self, now_ns: int) -> tuple[int, int]:
        """When the message sent now was due, and how late its task started, in ns; a second call no longer knows."""
        found = (self.due_ns or now_ns), self.lag_ns
        self.due_ns = self.lag_ns = 0
        return found


NEVER_DUE: Final = Due(0, 0)
current_due: ContextVar[Due] = ContextVar("current_due", default=NEVER_DUE)
"""The due time of the task in this context; `NEVER_DUE` in a closed workload."""


class Lingering:
    """The waits during one step, in its own task and in those that it started; times are monotonic, in ns."""

    __slots__ = ("_at_once", "_since_ns", "outer", "periods")

    def __init__(self, outer: Lingering | None) -> None:
        self.outer = outer
        """That of the step around this one."""
        self.periods: list[tuple[int, int]] = []
        """Start and end of each wait. They don't overlap: while two connections linger, the time counts once."""
        self._at_once = 0
        self._since_ns = 0

    def begin(self, now_ns: int) -> None:
        """A connection begins to linger."""
        if not self._at_once:
            self._since_ns = now_ns
        self._at_once += 1

    def end(self, now_ns: int) -> None:
        """A connection has lingered. Others may still do so, but perhaps no task is waiting for them."""
        self.periods.append((self._since_ns, now_ns))
        self._since_ns = now_ns
        self._at_once -= 1


current_lingering: ContextVar[Lingering | None] = ContextVar("current_lingering", default=None)
"""The waits of the innermost step in this context; tasks that the step starts share it."""


def around_here() -> list[Lingering]:
    """The waits of every step in this context, innermost first."""
    found, each = [], current_lingering.get()
    while each is not None:
        found.append(each)
        each = each.outer
    return found


_here: ContextVar[object] = ContextVar("_here", default=None)


@contextlib.contextmanager
def greeting() -> Iterator[object]:
    """Marks the context in which a connection is opened and `on_connect` runs; yields the mark for `is_here`."""
    mark = object()
    token = _here.set(mark)
    try:
        yield mark
    finally:
        _here.reset(token)


def is_here(mark: object) -> bool:
    """Whether this runs in the context with that mark, or in a copy of it."""
    return _here.get() is mark
