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
        """When it waited, from and to. They don't overlap: time in which two connections linger counts once."""
        self._at_once = 0
        self._since_ns = 0

    def begin(self, now_ns: int) -> None:
        """A connection begins to linger."""
        if not self._at_once:
            self._since_ns = now_ns
        self._at_once += 1

    def end(self, now_ns: int) -> None:
        """A connection has lingered; while others still do, nobody may be waiting for those."""
        self.periods.append((self._since_ns, now_ns))
        self._since_ns = now_ns
        self._at_once -= 1


current_lingering: ContextVar[Lingering | None] = ContextVar("current_lingering", default=None)
"""That of the innermost step in this context, which the tasks that it starts share."""


def around_here() -> list[Lingering]:
    """That of each step in this context."""
    found, each = [], current_lingering.get()
    while each is not None:
        found.append(each)
        each = each.outer
    return found
