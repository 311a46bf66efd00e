"""The limit on the number of kinds of failure."""

from __future__ import annotations

from wsload.measure.names import MAX_KINDS, OTHER_KINDS, OWN_FAULTS
from wsload.redact import plain


class KindLimit:
    """Admits the first `MAX_KINDS` kinds of failure, each with what was tried; later ones become `OTHER_KINDS` of that.

    `OWN_FAULTS` always stay themselves.
    """

    __slots__ = ("_admitted",)

    def __init__(self) -> None:
        self._admitted: set[tuple[str, str]] = set()

    def admit(self, what: str, kind: str) -> tuple[str, str]:
        """What was tried and the kind, or `OTHER_KINDS`.

        Both as text that UTF-8 can hold, as messages and files need it: a kind that a user class takes from an answer
        may have lone surrogates.
        """
        if (what, kind) in self._admitted:
            return what, kind
        what, kind = plain(what), plain(kind)
        if (what, kind) not in self._admitted:
            full = len(self._admitted) >= MAX_KINDS and kind not in OWN_FAULTS
            if full or kind == OTHER_KINDS:
                return what, OTHER_KINDS
            self._admitted.add((what, kind))
        return what, kind
