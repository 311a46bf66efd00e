"""Whether an answer quotes its request, if several without keys were outstanding at once and are paired by order.

An answer with a word that occurs only in its own request proves the pairing, unless it also has a word of another
request. After an answer that proves nothing, the following ones prove nothing either, since it may belong to one of
their requests.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

COMPARED: Final = 32
"""An answer is compared with at most this many outstanding requests, and as many that were answered."""
_WORD: Final = re.compile(rb"[0-9A-Za-z_-]{1,64}")
_LONGEST_COMPARED: Final = 4_096

Words = set[bytes]


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
