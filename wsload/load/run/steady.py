"""A clock that shows the time of day and never jumps."""

from __future__ import annotations

import time
from collections.abc import Callable


class SteadyClock:
    """The time of day when it was made, and from then on as much later as the monotonic clock says.

    Setting the machine's clock during a run, as NTP may, changes nothing about it. Intervals are labelled by such a
    clock in the process that records them.
    """

    __slots__ = ("_monotonic", "_offset_s")

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._offset_s = wall() - monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._monotonic() + self._offset_s
