"""What one connection may cost the loop: bounds that keep a hostile server from harming the others."""

from __future__ import annotations

from typing import Final

from wsload.load.ws.rules import Rule, Violation

PER_TURN: Final = 100
"""A connection's budget in one turn of the loop: a frame costs 1, and 1 more for every 4 KiB it holds.

That is a fraction of a millisecond. What is left is read in the next turns, after the other sockets, with
the stamp of its arrival; until then nothing more is read from this connection's socket.
"""
MOST_DISCARDED: Final = 1 << 20
"""Bytes that a server may still send after the connection has failed or closed, before it is dropped."""
IDLE_PER_S: Final = 10_000
"""Control frames and empty fragments; more fail the connection."""
SUSPICIOUS_PER_S: Final = 16 << 20
"""Bytes of messages that inflated more than 200-fold, beyond one largest message for each one sent."""
MOST_EARLY: Final = 1_000
"""Messages kept for a connection that nobody has attached to; then reading pauses until somebody does."""
_SECOND_NS: Final = 1_000_000_000


def cost(size: int) -> int:
    """What a frame of so many bytes takes of the budget."""
    return 1 + (size >> 12)


class Guard:
    """Fails a connection on which too much of what is useless comes too fast."""

    __slots__ = ("_idle", "_suspicious")

    def __init__(self) -> None:
        self._idle = (0, 0)
        self._suspicious = (0, 0)

    def check(self, now_ns: int, idle: int, suspicious: int) -> None:
        """Takes the connection's totals so far. Raises `Violation`."""
        self._idle = _checked(self._idle, (now_ns, idle), IDLE_PER_S, Rule.FLOOD)
        self._suspicious = _checked(self._suspicious, (now_ns, suspicious), SUSPICIOUS_PER_S, Rule.BOMB)


def _checked(mark: tuple[int, int], now: tuple[int, int], most: int, rule: Rule) -> tuple[int, int]:
    """The mark from which to count on; a mark is a time in ns and a total."""
    grown, passed_ns = now[1] - mark[1], now[0] - mark[0]
    if grown <= most:
        return mark
    if passed_ns < _SECOND_NS:
        raise Violation(rule, f"{grown} in {passed_ns / _SECOND_NS:.3f} s")
    return now
