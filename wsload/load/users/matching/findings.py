"""The requests of a connection, and what is found out about its messages."""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from wsload.load.users.matching.rules import Match, Rule, Words, words_of
from wsload.measure.names import Figures


class Request:
    """A request: ``due_ns`` is when it was due, ``sent_ns`` when it was sent (monotonic)."""

    # Class attributes save memory, because most requests set no more than five of these.
    key: Hashable = None
    match: Match | None = None
    check: Callable[[Any], str | None] | None = None
    lag_ns = 0
    """How late the load generator started the task that sent it."""
    data: str | bytes = b""
    """What was sent, if the answer may have to be compared with it."""
    rule: Rule | None = None
    """How its answer is recognized, if it has no key."""
    timer: Any = None
    """For the caller's use: its own timeout."""
    waiter: Any = None
    """For the caller's use: whatever awaits the answer."""
    _words: Words | None = None

    def __init__(self, figures: Figures, due_ns: int, sent_ns: int) -> None:
        self.figures = figures
        self.due_ns = due_ns
        self.sent_ns = sent_ns

    @property
    def by_turn(self) -> bool:
        """Whether only its place in the order identifies its answer, so that a later request might get it instead."""
        return self.rule is not None and not self.rule.specific

    @property
    def words(self) -> Words:
        """The words of what was sent."""
        if self._words is None:
            self._words = words_of(self.data)
        return self._words


class Doubt(enum.StrEnum):
    """Why answers may have gone to the wrong requests."""

    UNASKED = "a message came that no request was waiting for"
    UNANSWERED = "a request was never answered, though later ones seemed to be"
    QUOTES_ANOTHER = "an answer quoted a different request from the one whose turn it was"
    UNPROVED = (
        "several requests were outstanding at once, and an answer does not show which of them it answers"
    )
    KEY_REUSED = "a key was used again while an answer to its first use could still come"


class Kind(enum.Enum):
    """What a message is."""

    ANSWER = "answer"
    PUSH = "push"
    LATE = "the answer to a request that had been given up"
    DUPLICATE = "a second answer to a request"


@dataclass(slots=True)
class Found:
    """What a message is."""

    kind: Kind
    request: Request | None = None
    """The request that it answers."""
    name: str = ""
    """The name of the request that it answers late, or a second time."""
    overlapped: bool = False
    """Whether it was paired only by order, although several requests were outstanding at once."""
    mixed_up: bool = False
    """Whether it may also be the answer to an outstanding request: from now on the connection proves nothing."""
