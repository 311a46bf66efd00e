"""Waiting: for a socket, for a time, and never longer than until the order to stop."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence
from typing import Any, Final

_NS: Final = 1_000_000_000


class Stopped(Exception):
    """The order to stop has come; said once."""


class Watch:
    """Waits, with an eye on ``stops``: as soon as one of these has data or ends, that is the order to stop.

    The probe's are its standard input, which ends with its parent, and what signals write to.
    """

    def __init__(self, stops: Sequence[int]) -> None:
        self._stops = list(stops)

    def wait(self, what: Any, *, until_ns: int, write: bool = False) -> bool:
        """Whether the socket can be read (or ``write``) before this time of ``time.monotonic_ns``.

        ``what`` is a socket, or anything with a ``fileno``; None to wait for the time alone.
        Raises `Stopped` when the order came first, or had come; afterwards that is not watched for.
        """
        left_s = max(0.0, (until_ns - time.monotonic_ns()) / _NS)
        read: list[Any] = [*self._stops, what] if what is not None else self._stops
        readable, writable, _ = select.select(read, [what] if write else [], [], left_s)
        for stop in self._stops:
            if stop in readable:
                os.read(stop, 4096)
                self._stops = []
                raise Stopped
        return bool(readable or writable)
