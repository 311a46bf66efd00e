"""The waits for surplus answers before connections are closed, which are not part of the steps that they happen in."""

from __future__ import annotations

from contextvars import ContextVar


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
