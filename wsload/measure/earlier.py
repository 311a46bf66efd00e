"""What a run named before its measured window: the window's figures know it too, as names and counters at zero."""

from __future__ import annotations

from dataclasses import replace

from wsload.measure.interval import Interval, added, named
from wsload.measure.keys import split_key
from wsload.measure.names import COUNTED, LATE_IN, Kind, counters


class Earlier:
    """The names, and the counters of user classes, in intervals that are left out."""

    __slots__ = ("_counters", "_names")

    def __init__(self) -> None:
        self._names: dict[str, Kind] = {}
        self._counters: dict[str, int] = {}

    def add(self, interval: Interval) -> None:
        """Takes note of an interval."""
        if interval.names:
            self._names = named((self._names, interval.names))
        for counter in interval.counters.keys() - set(counters()):
            what, said = split_key(counter)
            of_a_request = counter.endswith(COUNTED) or (said and what in self._names)
            if not of_a_request and not counter.startswith(LATE_IN):
                self._counters[counter] = 0

    def known_to(self, interval: Interval) -> Interval:
        """The interval with all that was named before it."""
        return replace(
            interval,
            names=named((self._names, interval.names)),
            counters=added((self._counters, interval.counters)),
        )
