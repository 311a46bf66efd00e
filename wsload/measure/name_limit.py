"""The limit on the number of names."""

from __future__ import annotations

from collections.abc import Iterable

from wsload.measure.names import MAX_GATHERED, MAX_NAMES, OTHER


class NameLimit:
    """Admits the first `MAX_NAMES` names, those in ``admitted`` among them; later ones become `OTHER`."""

    __slots__ = ("_admitted", "_gathered")

    def __init__(self, admitted: Iterable[str] = ()) -> None:
        self._admitted = set(admitted) - {OTHER}
        self._gathered: set[str] = set()

    def admit(self, name: str) -> str:
        """The name, or `OTHER`."""
        if name in self._admitted:
            return name
        if len(self._admitted) < MAX_NAMES and name != OTHER:
            self._admitted.add(name)
            return name
        if name != OTHER and len(self._gathered) < MAX_GATHERED:
            self._gathered.add(name)
        return OTHER

    def __contains__(self, name: str) -> bool:
        return name in self._admitted or name == OTHER

    def has_gathered(self, name: str) -> bool:
        """Whether the name has become `OTHER`; of more than `MAX_GATHERED`, the last ones are not known."""
        return name in self._gathered

    @property
    def gathered(self) -> int:
        """How many distinct names became `OTHER`, up to `MAX_GATHERED`."""
        return len(self._gathered)
