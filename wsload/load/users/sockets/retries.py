"""When a connection that failed or was dropped is opened again."""

from __future__ import annotations

import time
from typing import Final

from wsload.measure.schedule import backoff

STABLE_NS: Final = 5_000_000_000
"""A connection that lasted this long resets the backoff."""
_now_ns = time.monotonic_ns


class Retries:
    """The backoff of one socket. A server that accepts connections and then drops them gets the same as one that
    refuses them."""

    __slots__ = ("_delays", "_opened_ns")

    def __init__(self) -> None:
        self._delays = backoff()
        self._opened_ns = 0

    def opened(self) -> None:
        """A connection is open."""
        self._opened_ns = _now_ns()

    def lost(self) -> None:
        """The connection is gone."""
        if _now_ns() - self._opened_ns > STABLE_NS:
            self._delays = backoff()

    def next_ns(self) -> int:
        """When the next attempt is due."""
        return _now_ns() + int(next(self._delays) * 1e9)
