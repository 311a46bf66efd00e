"""What tells the answers of requests without keys: the code of their ``match``, and whether that proves anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Match = Callable[[Any], object]

NOTHING: Final = object()
"""Where there was no answer yet."""


class Rule:
    """The requests of a connection whose answers are told by the same code, or by their turn alone."""

    __slots__ = ("answer", "match", "name", "names", "specific", "suspicious")

    def __init__(self, match: Match | None) -> None:
        self.match = match
        """The last request's; None where any message is an answer."""
        # A function that captures nothing can't know which request it is for.
        self.specific: bool | None = False if match is None or _captures_nothing(match) else None
        """Whether matches reject the answers of other requests; None while that is unknown."""
        self.name = ""
        """The last request's."""
        self.names: set[str] = set()
        self.answer: Any = NOTHING
        """The last one."""
        self.suspicious = False
        """Whether a further message came that the last match accepts, while it is unknown what that means."""

    def fits(self, message: Any) -> bool:
        """Whether the last request's match accepts a message."""
        return self.match is None or accepts(self.match, message)

    def learn(self, accepted: bool) -> None:
        """A match was tried on an answer of another request. Once accepted, it never proves anything again."""
        self.specific = self.specific is not False and not accepted


def origin_of(match: Any) -> object:
    """Where a match comes from: a lambda written in a task is a new object each time, but of the same code."""
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
    except (Exception, SystemExit):
        return False
