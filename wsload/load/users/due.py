"""The due time of the current task, from which the response time of its first request counts."""

from __future__ import annotations

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
