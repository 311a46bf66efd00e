"""What belongs to the task that runs here: when it was due, wsload's own waits, and whether it greets a connection.

All are in its context, so that what it starts, in copies of that, has them too.

wsload's own waits, such as that for surplus answers before a close, are not part of what the service takes. Those in
the measured task itself are left out. A task that it has started may wait while the measured task waits for it, or for
something else, and nobody can tell which; so such a wait counts as a possible delay by the load generator.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Final

from wsload.measure.lateness import Lateness
from wsload.measure.names import OwnWait

_now_ns = time.monotonic_ns


def this_task() -> int:
    """Identifies the current task while it runs; a reference to it would be a cycle. A thread or a hook has none."""
    try:
        return id(asyncio.current_task())
    except RuntimeError:
        return id(None)


class Lingering:
    """The waits during a step or due task, in its own task and in those that it started; times are monotonic, in ns."""

    __slots__ = ("_at_once", "_beside", "_since_ns", "_times", "_why", "name", "outer", "periods", "task")

    def __init__(self, outer: Lingering | None, task: int, name: str = "") -> None:
        self.outer = outer
        """That of the step around this one."""
        self.name = name
        """The step's; a due task has none."""
        self.task = task
        """Its own task, see `this_task`; 0 when it is over."""
        self.periods: list[tuple[int, int]] = []
        """Start and end of each wait in its own task."""
        self._beside: list[tuple[int, int]] = []
        """Start and end of the times in which other tasks lingered. They don't overlap."""
        self._at_once = 0
        self._since_ns = 0
        self._why = OwnWait.SURPLUS
        """Of the waits at once in other tasks, what the first is for."""
        self._times: Counter[OwnWait] = Counter()
        """How long the waits have taken that are over."""

    def begin(self, task: int, now_ns: int, why: OwnWait) -> None:
        """A wait begins in this task."""
        if task != self.task:
            if not self._at_once:
                self._since_ns, self._why = now_ns, why
            self._at_once += 1

    def end(self, task: int, began_ns: int, now_ns: int, why: OwnWait) -> None:
        """A wait in this task has ended."""
        if task == self.task:
            self.periods.append((began_ns, now_ns))
            self._times[why] += now_ns - began_ns
        else:
            self._at_once -= 1
            if not self._at_once:
                self._beside.append((self._since_ns, now_ns))
                self._times[self._why] += now_ns - self._since_ns

    def times(self, now_ns: int) -> Counter[OwnWait]:
        """How long the waits have taken by now. Those of other tasks at once count once, as the first of them."""
        found = self._times.copy()
        if self._at_once:
            found[self._why] += now_ns - self._since_ns
        return found

    def rest(self, from_ns: int, to_ns: int, lag_ns: int, lateness: Lateness) -> tuple[int, int]:
        """How long the step or task has taken without the waits, and by how much of that it was late, at most.

        ``to_ns`` is now; ``lag_ns`` is how late it began, at most.
        """
        beside = list(self._only_beside(to_ns))
        late_ns = lag_ns + lateness.within(from_ns + lag_ns, to_ns) + _length(beside)
        late_ns -= sum(lateness.within(*period) for period in (*self.periods, *beside))
        return to_ns - from_ns - _length(self.periods), late_ns

    def _only_beside(self, now_ns: int) -> Iterator[tuple[int, int]]:
        """The times until now in which other tasks lingered, while its own did not."""
        beside = [*self._beside, (self._since_ns, now_ns)] if self._at_once else self._beside
        for start_ns, end_ns in beside:
            for own_start_ns, own_end_ns in self.periods:
                if start_ns < own_start_ns:
                    yield start_ns, min(own_start_ns, end_ns)
                start_ns = max(start_ns, own_end_ns)
                if start_ns >= end_ns:
                    break
            else:
                yield start_ns, end_ns


def _length(periods: Iterable[tuple[int, int]]) -> int:
    return sum(end_ns - start_ns for start_ns, end_ns in periods)


current_lingering: ContextVar[Lingering | None] = ContextVar("current_lingering", default=None)
"""The waits of the innermost step in this context; tasks that the step starts share it."""


class Due:
    """When a task of an open workload was due."""

    __slots__ = ("_lateness", "_opened", "_waits", "due_ns", "lag_ns", "task")

    def __init__(self, due_ns: int, lateness: Lateness) -> None:
        self.due_ns = due_ns
        """0 when it has been taken."""
        self.lag_ns = 0
        """How late the load generator started the task, at most."""
        self.task = 0
        """The task, see `this_task`; 0 before and after it."""
        self._lateness = lateness
        self._waits: Lingering | None = None  # created when needed
        self._opened = False

    def take(self, now_ns: int) -> tuple[int, int]:
        """See `counted`, for the message sent now; a second call no longer knows when the task was due."""
        found = (self.due_ns or now_ns, self.lag_ns) if self._waits is None else self.counted(now_ns)
        self.due_ns = self.lag_ns = 0
        return found

    def counted(self, now_ns: int) -> tuple[int, int]:
        """From when to count what begins now, and by how much the load generator may have delayed it since, in ns.

        That is when the task was due, later by what the task itself has lingered; or now, if that was taken already.
        """
        due_ns, lag_ns, waits = self.due_ns, self.lag_ns, self._waits
        if not due_ns or waits is None:
            return due_ns or now_ns, lag_ns
        if waits.task != this_task():
            return due_ns, now_ns - due_ns  # which of the waits this task has waited for is unknown
        time_ns, late_ns = waits.rest(due_ns, now_ns, lag_ns, self._lateness)
        return now_ns - time_ns, min(late_ns, time_ns)

    def opening(self, now_ns: int) -> tuple[int, int]:
        """See `counted`, for an opening that begins now. Only the first one counts from when the task was due.

        The task's first message still does, too: the opening is part of what it has waited for.
        """
        if self._opened or not self.due_ns:
            return now_ns, 0
        self._opened = True
        return self.counted(now_ns)

    def void(self) -> None:
        """What is sent from now on does not count from when the task was due."""
        self.due_ns = self.lag_ns = 0

    def end(self) -> None:
        """The task has ended: what it left running owes nothing to it."""
        self.void()
        self.task = 0

    def waiting(self) -> Lingering:
        """Where to note wsload's own waits during the task."""
        if self._waits is None:
            self._waits = Lingering(None, self.task)
        return self._waits

    def held_up_ns(self, from_ns: int, now_ns: int) -> int:
        """How much of the time since ``from_ns``, from before the task's start, it may have waited for wsload."""
        if self._waits is None:
            return self._lateness.within(from_ns, now_ns)
        time_ns, late_ns = self._waits.rest(from_ns, now_ns, 0, self._lateness)
        return now_ns - from_ns - time_ns + late_ns

    def waited(self, now_ns: int) -> Mapping[OwnWait, int]:
        """See `Lingering.times`."""
        return {} if self._waits is None else self._waits.times(now_ns)


NEVER_DUE: Final = Due(0, Lateness())
current_due: ContextVar[Due] = ContextVar("current_due", default=NEVER_DUE)
"""The due time of the task in this context; `NEVER_DUE` in a closed workload."""


@contextlib.contextmanager
def nothing_due() -> Iterator[None]:
    """Copies of the context that are made in this block, for callbacks and tasks, have no due time."""
    before = current_due.get()
    current_due.set(NEVER_DUE)
    try:
        yield
    finally:
        current_due.set(before)


def _steps() -> Iterator[Lingering]:
    """Every step in this context that is not over, innermost first."""
    each = current_lingering.get()
    while each is not None:
        if each.task:
            yield each
        each = each.outer


def steps_here() -> list[str]:
    """The names of the steps in this context, innermost first."""
    return [each.name for each in _steps()]


def _around_here() -> list[Lingering]:
    """The waits of every step in this context, innermost first, and of the due task."""
    found = list(_steps())
    due = current_due.get()
    if due.task:
        found.append(due.waiting())
    return found


@contextlib.contextmanager
def left_out(why: OwnWait) -> Iterator[None]:
    """The time in this block is wsload's own doing, not part of any time that is measured around it."""
    waits, task, began_ns = _around_here(), this_task(), _now_ns()
    for each in waits:
        each.begin(task, began_ns, why)
    try:
        yield
    finally:
        ended_ns = _now_ns()
        for each in waits:
            each.end(task, began_ns, ended_ns, why)


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
