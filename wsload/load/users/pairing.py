"""Which message answers which request: pure bookkeeping for one connection, without a clock or a socket.

A request with a key is answered by the message that has the same key. One without is answered in order: the
n-th answer belongs to the n-th request, among the messages that its ``match`` accepts. A match that fits only
this very request (it closes over its number, say) proves the pairing. One that serves request after request
proves nothing, and neither does none at all: so whatever contradicts the order is reported as a doubt.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from wsload.measure.names import Figures

REMEMBERED: Final = 1_024
"""Keys of requests answered or given up that are kept, to tell a second or a late answer from an unknown one."""
COMPARED: Final = 32
"""An answer is compared with so many outstanding requests at most, to see which of them it quotes."""
_WORD: Final = re.compile(rb"[0-9A-Za-z_-]{1,64}")
_LONGEST_COMPARED: Final = 4_096

Match = Callable[[Any], object]


class Request:
    """A request that was sent: ``due_ns`` when it was meant to be, ``sent_ns`` when it was (monotonic)."""

    # Most requests need no more than five of these: the others are their class's until they are set.
    key: Hashable = None
    match: Match | None = None
    check: Callable[[Any], str | None] | None = None
    lag_ns = 0
    """How late the load generator started the task that sent it."""
    data: str | bytes = b""
    """What was sent; kept where the answer may have to be compared with it."""
    general = False
    """Whether its answer is told by its turn alone."""
    timer: Any = None
    """For the caller's use: a time-out of its own."""
    waiter: Any = None
    """For the caller's use: who awaits the answer."""

    def __init__(self, figures: Figures, due_ns: int, sent_ns: int) -> None:
        self.figures = figures
        self.due_ns = due_ns
        self.sent_ns = sent_ns


class Doubt(enum.StrEnum):
    """Why answers told by their turn may have gone to the wrong requests."""

    UNASKED = "a message came that no request was waiting for"
    UNANSWERED = "a request was never answered, though later ones seemed to be"
    QUOTES_ANOTHER = "an answer quoted another request than the one whose turn it was"


class Kind(enum.Enum):
    """What a message is."""

    ANSWER = "answer"
    PUSH = "push"
    LATE = "the answer to a request that had been given up"
    DUPLICATE = "a second answer to a request"


@dataclass(slots=True)
class Found:
    """What a message was found to be."""

    kind: Kind
    request: Request | None = None
    """The request that it answers."""
    name: str = ""
    """The name of the request that it answers late, or again."""
    doubt: Doubt | None = None
    overlapped: bool = False
    """Whether it was told by its turn while more than one request was outstanding."""


_PUSH: Final = Found(Kind.PUSH)
_UNASKED: Final = Found(Kind.PUSH, doubt=Doubt.UNASKED)


class Pairing:
    """The requests of one connection, from its opening to its end."""

    __slots__ = (
        "_answered",
        "_by_key",
        "_general",
        "_lost",
        "_seen",
        "in_order",
        "outstanding",
        "overlapped",
    )

    def __init__(self) -> None:
        self.outstanding = 0
        """How many requests have neither an answer nor been given up."""
        self.in_order: deque[Request] | None = None  # not every user has one, and it takes 600 bytes
        """Those without keys."""
        self.overlapped = False
        """Whether more than one of these was outstanding since none was."""
        self._by_key: dict[Hashable, Request] = {}
        self._general: dict[object, Match | None] = {}
        self._seen: object = None
        self._answered: dict[Hashable, str] = {}
        self._lost: dict[Hashable, str] = {}

    def __iter__(self) -> Iterator[Request]:
        """The outstanding requests."""
        yield from list(self._by_key.values())
        yield from list(self.in_order or ())

    # Sending

    def add(self, request: Request, key: Hashable) -> None:
        """A request with a key is about to be sent. Raises `ValueError` when one with this key is in flight."""
        if key in self._by_key:
            raise ValueError(f"a request with the key {key!r} is still in flight")
        self._by_key[key] = request
        self.outstanding += 1

    def add_in_order(self, request: Request, match: Match | None) -> None:
        """A request without a key is about to be sent."""
        if match is None:
            request.general = True
            if None not in self._general:
                self._general[None] = None
        else:
            request.match = match
            identity = _identity(match)
            if identity == self._seen or identity in self._general:
                request.general = True
                self._general[identity] = match
            self._seen = identity
        if self.in_order is None:
            self.in_order = deque()
        elif self.in_order:
            self.overlapped = True
        self.in_order.append(request)
        self.outstanding += 1

    def give_up(self, request: Request) -> Doubt | None:
        """No answer is expected any more. Returns a doubt where others may have got the wrong one for it."""
        if request.key is not None:
            if self._by_key.pop(request.key, None) is not None:
                self.outstanding -= 1
                _remember(self._lost, request.key, request.figures.name)
            return None
        if self.in_order is None or request not in self.in_order:
            return None
        doubt = Doubt.UNANSWERED if self.overlapped and request.general else None
        self._take_from_queue(request)
        return doubt

    # Receiving

    def answered(self, key: Hashable) -> Request | None:
        """The outstanding request with this key, which is answered now."""
        request = self._by_key.pop(key, None)
        if request is not None:
            self.outstanding -= 1
            self._answered[key] = request.figures.name
            if len(self._answered) > REMEMBERED:
                del self._answered[next(iter(self._answered))]
        return request

    def receive(self, message: Any, key: Hashable) -> Found:
        """What a message is; ``key`` is what the user class read from it, None where it answers nobody.

        Raises whatever a request's ``match`` raises.
        """
        if key is not None:
            request = self.answered(key)
            if request is not None:
                return Found(Kind.ANSWER, request)
            if key in self._lost:
                return Found(Kind.LATE, name=self._lost.pop(key))
            if key in self._answered:
                return Found(Kind.DUPLICATE, name=self._answered[key])
        for request in self.in_order or ():
            if request.match is None or request.match(message):
                return self._answered_in_order(request, message)
        if key is None and any(match is None or match(message) for match in self._general.values()):
            return _UNASKED
        return _PUSH

    def _answered_in_order(self, request: Request, message: Any) -> Found:
        overlapped = self.overlapped and request.general
        self._take_from_queue(request)
        assert self.in_order is not None
        quotes = overlapped and _quotes_another(message, request, self.in_order)
        doubt = Doubt.QUOTES_ANOTHER if quotes else None
        return Found(Kind.ANSWER, request, doubt=doubt, overlapped=overlapped)

    def _take_from_queue(self, request: Request) -> None:
        queue = self.in_order
        assert queue is not None
        queue.remove(request)
        self.outstanding -= 1
        if not queue:
            self.overlapped = False


def _remember(keys: dict[Hashable, str], key: Hashable, name: str) -> None:
    keys[key] = name
    if len(keys) > REMEMBERED:
        del keys[next(iter(keys))]


def _identity(match: Match) -> object:
    """What makes two match functions the same: a lambda written in a loop is a new object each time."""
    code = getattr(match, "__code__", None)
    if code is None:
        return match  # bound methods compare by what they are made of
    cells = tuple(cell.cell_contents for cell in getattr(match, "__closure__", None) or ())
    identity = code, cells, getattr(match, "__defaults__", None)
    try:
        hash(identity)
    except TypeError:
        return match
    return identity


def _quotes_another(message: Any, request: Request, others: deque[Request]) -> bool:
    """Whether an answer has a word of another outstanding request, and none that only its own has."""
    rest = [_words(other.data) for other in list(others)[:COMPARED]]
    sent = _words(request.data)
    own = sent.difference(*rest)
    if not own:
        return False
    found = _words(message)
    return not found & own and any(found & (words - sent) for words in rest)


def _words(data: str | bytes) -> set[bytes]:
    part = data[:_LONGEST_COMPARED]
    return set(_WORD.findall(part.encode() if isinstance(part, str) else bytes(part)))
