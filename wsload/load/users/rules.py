"""How the answers of requests without keys are recognized: by the code of their ``match``, if that proves anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Match = Callable[[Any], object]

NOTHING: Final = object()
"""Stands for an answer that has not come yet."""


class Rule:
    """The requests of a connection with the same code in their ``match``, or without one."""

    __slots__ = ("answer", "match", "name", "names", "since_ns", "specific", "suspicious")

    def __init__(self, match: Match | None, since_ns: int) -> None:
        self.match = match
        """The match of the last request; None if any message is an answer."""
        # A function that captures nothing can't know which request it is for.
        self.specific: bool | None = False if match is None or _captures_nothing(match) else None
        """Whether matches reject the answers of other requests; None while that is unknown."""
        self.since_ns = since_ns
        """When the first request was sent (monotonic): what arrived before was a push."""
        self.name = ""
        """The name of the last request."""
        self.names: set[str] = set()
        self.answer: Any = NOTHING
        """The last answer."""
        self.suspicious = False
        """Whether a surplus message came that the last match accepts, but whose meaning is not known yet."""

    def fits(self, message: Any) -> bool:
        """Whether the last request's match accepts a message."""
        return self.match is None or accepts(self.match, message)

    def learn(self, accepted: bool) -> None:
        """Notes whether a match accepted the answer of another request. If it ever did, it proves nothing."""
        self.specific = self.specific is not False and not accepted


def origin_of(match: Any) -> object:
    """The code of a match: a lambda in a task is a new object each time, but has the same code."""
    inner = getattr(match, "func", None)
    if callable(inner):
        return origin_of(inner)  # functools.partial
    return getattr(match, "__code__", None) or type(match)


def _captures_nothing(match: Any) -> bool:
    return (
        hasattr(match, "__code__")
        and not hasattr(match, "__self__")
        and not (match.__closure__ or match.__defaults__ or match.__kwdefaults__)
    )


def accepts(match: Match, message: Any) -> bool:
    """Whether a match accepts a message; one that raises does not."""
    try:
        return bool(match(message))
    except BaseException:
        return False
