"""The keys of a connection's latest requests, so that duplicate and late answers are recognized."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

REMEMBERED: Final = 128
"""At least this many keys are known, and fewer than twice as many."""


class Recent:
    """The names of the requests with the latest keys.

    Kept in two generations: to remove the oldest key from one dict, one by one, Python would have to search past all
    those removed before it.
    """

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[Hashable, str] = {}
        self._old: dict[Hashable, str] = {}

    def add(self, key: Hashable, name: str) -> None:
        """Adds a key, or replaces its name."""
        self._new[key] = name
        if len(self._new) >= REMEMBERED:
            self._old, self._new = self._new, {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._new or key in self._old

    def __getitem__(self, key: Hashable) -> str:
        return self._new[key] if key in self._new else self._old[key]

    def pop(self, key: Hashable) -> str:
        """Removes a key. Raises `KeyError` where it is not known."""
        name = self[key]
        self._new.pop(key, None)
        self._old.pop(key, None)
        return name

    def __len__(self) -> int:
        return len(self._new.keys() | self._old.keys())
