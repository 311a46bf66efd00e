"""Limits on what one connection may cost the loop, so that a hostile server can't harm the others."""

from __future__ import annotations

from typing import Final

from wsload.load.ws.rules import Rule, Violation
from wsload.measure.schedule import SECOND_NS

PER_TURN: Final = 100
"""A connection's budget in one iteration of the loop: each frame costs 1, plus 1 for every 4 KiB it holds.

That is a fraction of a millisecond. `wsload.load.ws.incoming` reads the rest in the next iterations.
"""
MAX_DISCARDED: Final = 1 << 20
"""Bytes that a server may still send after the connection has failed or closed, before it is dropped."""
IDLE_PER_S: Final = 10_000
"""Control frames and empty fragments; more than this fail the connection."""
SUSPICIOUS_PER_S: Final = 16 << 20
"""Bytes of messages that inflated more than 200-fold, in addition to one message of maximal size per message sent."""
MAX_EARLY: Final = 1_000
"""Messages kept before a sink is attached; then reading pauses."""


def cost(size: int) -> int:
    """The cost of a frame of this many bytes; see `PER_TURN`."""
    return 1 + (size >> 12)


class Guard:
    """Fails a connection that exceeds `IDLE_PER_S` or `SUSPICIOUS_PER_S`."""

    __slots__ = ("_idle", "_suspicious")

    def __init__(self) -> None:
        self._idle = (0, 0)
        self._suspicious = (0, 0)

    def check(self, now_ns: int, idle: int, suspicious: int) -> None:
        """Takes the connection's totals so far. Raises `Violation`."""
        self._idle = _checked(self._idle, (now_ns, idle), IDLE_PER_S, Rule.FLOOD)
        self._suspicious = _checked(self._suspicious, (now_ns, suspicious), SUSPICIOUS_PER_S, Rule.BOMB)


def _checked(mark: tuple[int, int], now: tuple[int, int], most: int, rule: Rule) -> tuple[int, int]:
    """The mark, a time in ns and a total, from which to continue counting."""
    grown, passed_ns = now[1] - mark[1], now[0] - mark[0]
    if grown <= most:
        return mark
    if passed_ns < SECOND_NS:
        raise Violation(rule, f"{grown} in {passed_ns / SECOND_NS:.3f} s")
    return now
