"""How the answers of requests without keys are recognized: by the code of their ``match``, if that proves anything.

If several were outstanding at once and are paired by order, an answer with a word that occurs only in its own request
proves the pairing, unless it also has a word of another request. After an answer that proves nothing, the following
ones prove nothing either, since it may belong to one of their requests.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

Match = Callable[[Any], object]
Words = set[bytes]

COMPARED: Final = 32
"""An answer is compared with at most this many outstanding requests, and as many that were answered."""
_WORD: Final = re.compile(rb"[0-9A-Za-z_-]{1,64}")
_LONGEST_COMPARED: Final = 4_096

NOTHING: Final = object()
"""Stands for an answer that has not come yet."""


class Rule:
    """The requests of a connection with the same code in their ``match``, or without one."""

    __slots__ = ("answer", "match", "name", "names", "specific", "suspicious")

    def __init__(self, match: Match | None) -> None:
        self.match = match
        """The match of the last request; None if any message is an answer."""
        # A function that captures nothing can't know which request it is for.
        self.specific: bool | None = False if match is None or _captures_nothing(match) else None
        """Whether matches reject the answers of other requests; None while that is unknown."""
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


def words_of(data: str | bytes) -> Words:
    """The words of a message; of a long one, those of its beginning."""
    part = data[:_LONGEST_COMPARED]
    return set(_WORD.findall(part.encode() if isinstance(part, str) else bytes(part)))


class Overlap:
    """The answers from the moment several requests were outstanding at once until none is outstanding."""

    __slots__ = ("_answered", "proved")

    def __init__(self) -> None:
        self.proved = True
        """Whether each of these answers proved whose it is."""
        self._answered: deque[Words] = deque(maxlen=COMPARED)
        """The words of the requests that were answered."""

    def contradicts(self, answer: Any, sent: Words, outstanding: Iterable[Words]) -> bool:
        """Processes the answer to the request with the words ``sent``, and updates `proved`.

        Returns whether the answer quotes another request instead.
        """
        found, waiting = words_of(answer), list(outstanding)
        own = sent.difference(*waiting, *self._answered)
        quotes_own = not found.isdisjoint(own)
        self.proved = self.proved and quotes_own and not _quotes(found - sent, waiting)
        contradicted = bool(own) and not quotes_own and _quotes(found - sent, (*waiting, *self._answered))
        self._answered.append(sent)
        return contradicted


def _quotes(found: Words, requests: Iterable[Words]) -> bool:
    return not all(found.isdisjoint(words) for words in requests)
