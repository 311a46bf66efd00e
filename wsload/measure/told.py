"""Times that bring what else a listener of Locust's ``request`` event gets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Self

_NONE: Final[Mapping[str, Any]] = {}


class Told(int):
    """A time in ns (-1: not timed) that also says when it began (by the wall clock, in s), and about whom.

    A number like any other to everybody else. Made only while somebody listens, see `Recorder.tells`.
    """

    start_s: float
    response: Any
    context: Mapping[str, Any]

    @classmethod
    def ended(cls, time_ns: int, response: Any = None, context: Mapping[str, Any] | None = None) -> Self:
        """A time that ends now."""
        found = cls(time_ns)
        found.start_s = time.time() - max(time_ns, 0) / 1e9
        found.response = response
        found.context = context or _NONE
        return found
