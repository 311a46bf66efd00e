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

REMEMBERED: Final = 8
"""So many of a rule's latest matches are known, and so many of its first and latest answers."""
LONG: Final = 2_048
"""Of answers with more characters or bytes fewer are kept, but at least two."""


class Rule:
    """The requests of a connection with the same code in their ``match``, or without one."""

    __slots__ = ("_alike", "_turn", "answers", "last_ns", "matches", "name", "names", "since_ns", "specific",
                 "suspicious", "unproved")  # fmt: skip

    def __init__(self, match: Match | None, since_ns: int) -> None:
        # A function that captures nothing can't know which request it is for.
        self._alike = match is None or _captures_nothing(match)
        self.specific: bool | None = False if self._alike else None
        """Whether matches reject the answers of other requests; None while that is unknown."""
        self.since_ns = since_ns
        """When the first request was sent (monotonic): what arrived before was a push."""
        self.last_ns = since_ns
        """When a request was last sent, or given an answer while others were outstanding."""
        self.name = ""
        """The name of the last request."""
        self.names: set[str] = set()
        self.matches: list[Match] = []
        """The matches of the latest requests, one of them if all are alike; none if any message is an answer."""
        self.answers: list[Any] = []
        """The first and the latest answers, unless any message is one."""
        self.suspicious = False
        """Whether a surplus message came that the matches accept, but that means nothing if they prove the pairing."""
        self.unproved = False
        """The same of an answer that came while other requests were outstanding, and does not quote its own."""
        self._turn = 0

    def add(self, match: Match) -> None:
        """Notes the match of a request, and tries it on answers of others."""
        answers, matches = self.answers, self.matches
        if self.specific is not False and answers:
            if len(answers) < REMEMBERED:
                self.learn(any(accepts(match, answer) for answer in answers))
            else:  # a match takes time, so that each is tried on two answers only
                self._turn = turn = (self._turn + 1) % (REMEMBERED - 1)
                self.learn(accepts(match, answers[-1]) or accepts(match, answers[turn]))
        if not matches or not (self._alike or match is matches[-1]):
            matches.append(match)
            if len(matches) > REMEMBERED:
                del matches[0]

    def keep(self, answer: Any) -> None:
        """Notes an answer. The first ones stay known, since matches may take turns among many kinds of answers."""
        answers = self.answers
        answers.append(answer)
        if len(answers) > REMEMBERED:
            del answers[REMEMBERED // 2]
        if len(answer) > LONG:
            while len(answers) > 2 and sum(map(len, answers)) > REMEMBERED * LONG:
                del answers[len(answers) // 2]

    def fits(self, message: Any) -> bool:
        """Whether one of the requests may have waited for a message."""
        return not self.matches or any(accepts(match, message) for match in self.matches)

    def learn(self, accepted: bool) -> None:
        """Notes whether a match accepted the answer of another request. If it ever did, it proves nothing."""
        self.specific = self.specific is not False and not accepted

    def may_have_answers_of(self, other: Rule) -> bool:
        """Whether a request of this rule may have been given the answer to one of another."""
        return self.last_ns >= other.since_ns and (
            any(map(self.fits, other.answers)) or any(map(other.fits, self.answers))
        )


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
