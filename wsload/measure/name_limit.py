"""The limit on the number of names."""

from __future__ import annotations

from wsload.measure.names import MOST_GATHERED, MOST_NAMES, OTHER


class NameLimit:
    """Admits the first `MOST_NAMES` names; later ones become `OTHER`."""

    __slots__ = ("_admitted", "_gathered")

    def __init__(self) -> None:
        self._admitted: set[str] = set()
        self._gathered: set[str] = set()

    def admit(self, name: str) -> str:
        """The name, or `OTHER`."""
        if name in self._admitted:
            return name
        if len(self._admitted) < MOST_NAMES and name != OTHER:
            self._admitted.add(name)
            return name
        if name != OTHER and len(self._gathered) < MOST_GATHERED:
            self._gathered.add(name)
        return OTHER

    def __contains__(self, name: str) -> bool:
        return name in self._admitted or name == OTHER

    @property
    def gathered(self) -> int:
        """How many distinct names became `OTHER`, up to `MOST_GATHERED`."""
        return len(self._gathered)
