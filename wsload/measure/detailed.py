"""Times with the details that listeners of Locust's ``request`` event get."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Self

_NONE: Final[Mapping[str, Any]] = {}


class DetailedTime(int):
    """A time in ns (-1: not timed), which is recorded like a plain number.

    Made only while somebody listens to the event, see `Recorder.detailed`.
    """

    start_s: float
    """When it began, in seconds since the epoch."""
    response: Any
    """The answer; None if there was none."""
    context: Mapping[str, Any]
    """What the user's ``context()`` returned."""

    @classmethod
    def ended(cls, time_ns: int, response: Any = None, context: Mapping[str, Any] | None = None) -> Self:
        """A time that ends now."""
        found = cls(time_ns)
        found.start_s = time.time() - max(time_ns, 0) / 1e9
        found.response = response
        found.context = context or _NONE
        return found
