"""What a run finds out after its measured window about the answers in it: that they may not belong to their requests.

A surplus answer may show only when the connection is closed that every answer before it was taken for the next one's.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from wsload.measure.interval import Interval, count
from wsload.measure.keys import split_key

UNPAIRED: Final = ".unpaired"
OVERLAPPED: Final = ".overlapped"
"""Suffixes of a request's counters: answers for which it can't be proved that they are those of their requests."""


class Later:
    """The counters of intervals that come after the window."""

    __slots__ = ("_counters",)

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}

    def add(self, interval: Interval) -> None:
        """Takes note of an interval."""
        count(self._counters, interval.counters)

    def doubts(self, names: Collection[str]) -> dict[str, int]:
        """The counters that raise a doubt about the answers to requests of these names, and those that say why."""
        counters = self._counters
        doubted = {
            name: [name + suffix for suffix in (UNPAIRED, OVERLAPPED) if counters.get(name + suffix)]
            for name in names
        }
        found = {counter: counters[counter] for proofs in doubted.values() for counter in proofs}
        for counter, number in counters.items():
            what, said = split_key(counter)
            if said and doubted.get(what):
                found[counter] = number
        return found
