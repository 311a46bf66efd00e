"""Turns of tasks that must not overlap: how much of a task's wait for its turn was the load generator's own doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wsload.load.users.context.here import Due
from wsload.measure.lateness import Lateness
from wsload.measure.names import OwnWait


class Turns:
    """The tasks of a user that start one after another, each when it is due and the one before has ended.

    A task that waits for its turn waits for the server, but also for what delayed the tasks before it, back to the last
    one that did not have to wait: for their lingering, and while the loop was late.
    """

    __slots__ = ("_free_ns", "_lateness", "_number", "_own_ns", "_since_ns", "_waits")

    def __init__(self, lateness: Lateness) -> None:
        self._lateness = lateness
        self._free_ns = 0
        """When the last task ended."""
        self._since_ns = 0
        """When the last task that did not have to wait was due."""
        self._own_ns = 0
        """How much of the time from then until the last task ended may be the load generator's own doing."""
        self._number = 0
        """How many tasks ended in that time."""
        self._waits: Counter[OwnWait] = Counter()
        """Which of wsload's own waits took how much of it."""

    def begin(self, due_ns: int, now_ns: int) -> int:
        """A task starts; returns by how much the load generator may have delayed that."""
        if due_ns >= self._free_ns:
            self._since_ns = self._free_ns = due_ns
            self._own_ns = self._number = 0
            self._waits.clear()
        lag_ns = now_ns - self._free_ns
        most_ns = min(lag_ns + self._own_ns, now_ns - due_ns)
        # What is late after the time that this leads to is added when the task's answer is recorded.
        return max(lag_ns, most_ns - self._lateness.within(due_ns + most_ns, now_ns))

    def waited(self, lag_ns: int) -> Iterator[tuple[OwnWait, int]]:
        """How much of the lag of a task that has just started is due to each of wsload's own waits."""
        for why, time_ns in self._waits.items():
            if share_ns := lag_ns * time_ns // max(self._own_ns, lag_ns):
                yield why, share_ns

    def end(self, due: Due, now_ns: int) -> None:
        """The task has ended."""
        own_ns = due.held_up_ns(self._free_ns, now_ns)
        if waits := due.waited(now_ns):
            most_ns = max(sum(waits.values()), own_ns, 1)  # those in the task and beside it may overlap
            self._waits.update({why: time_ns * own_ns // most_ns for why, time_ns in waits.items()})
        self._own_ns += own_ns
        self._number += 1
        self._free_ns = now_ns

    def missed(self) -> int:
        """How many more tasks would have had their turn by now, without what was the load generator's own doing."""
        served_ns = self._free_ns - self._since_ns - self._own_ns
        return self._own_ns * self._number // max(served_ns, 1)
