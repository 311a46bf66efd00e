"""The limits on names and on kinds of failure, applied to a whole run.

Each process admits its first `wsload.measure.names.MAX_NAMES` names, and `wsload.measure.names.MAX_KINDS` kinds, but
several processes together may bring more. The limits are applied again where their intervals are merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, added, named, told
from wsload.measure.keys import join_key, split_key
from wsload.measure.kind_limit import KindLimit
from wsload.measure.name_limit import NameLimit
from wsload.measure.names import COUNTED, GATHERED, LATE_IN, OTHER, OTHER_KINDS, OWN, counters, split

T = TypeVar("T")


class RunNames:
    """The names and kinds of failure of one run.

    Names beyond the limit become `OTHER` in histograms, counters and failures alike, kinds `OTHER_KINDS`.
    """

    __slots__ = ("_counters", "_kinds", "_names", "_places")

    def __init__(self) -> None:
        self._names = NameLimit()
        self._counters = NameLimit()
        self._places = NameLimit()
        """Of lateness: nobody chose them, so they take no counter's place and nobody is warned of more."""
        self._kinds = KindLimit()

    def admit(self, interval: Interval) -> Interval:
        """The interval with nothing beyond a limit; the counter `GATHERED` says how many names were gathered."""
        before = self._names.gathered + self._counters.gathered
        # Names first: counters and failures are told by them.
        metrics = {metric: self._metric(metric) for metric in interval.histograms}
        names = {name: self._name(name) for name in interval.names}
        known = frozenset(counters())
        own = {counter: self._counter(counter) for counter in interval.counters if counter not in known}
        failures = {each: self._failure(*each) for each in (*interval.failures, *interval.details)}
        if _unchanged(metrics) and _unchanged(names) and _unchanged(own) and _unchanged(failures):
            return interval
        new = self._names.gathered + self._counters.gathered - before
        numbers = added({own.get(name, name): number} for name, number in interval.counters.items())
        return replace(
            interval,
            histograms=_together((metrics[metric], each) for metric, each in interval.histograms.items()),
            counters=added((numbers, {GATHERED: new})) if new else numbers,
            failures=added({failures[each]: number} for each, number in interval.failures.items()),
            details=told(
                {failures[each]: detail}
                for each, detail in interval.details.items()
                if failures[each][1] != OTHER_KINDS or each[1] == OTHER_KINDS
            ),
            names=named({names[name]: kind} for name, kind in interval.names.items()),
        )

    def _name(self, name: str) -> str:
        return name if name in OWN else self._names.admit(name)

    def _metric(self, metric: str) -> str:
        base, suffix = split(metric)
        return self._name(base) + suffix

    def _counter(self, counter: str) -> str:
        """The admitted name of a counter; a counter of a request is renamed with that request."""
        if counter.startswith(LATE_IN):
            return counter if self._places.admit(counter) == counter else f"{LATE_IN}{OTHER} places"
        for suffix in COUNTED:
            if counter.endswith(suffix):
                return self._name(counter.removesuffix(suffix)) + suffix
        name, said = split_key(counter)
        if said and self._names.has_gathered(name):
            return join_key(OTHER, said)
        if said and (name in self._names or name in OWN):
            return counter
        return self._counters.admit(counter)

    def _failure(self, what: str, kind: str) -> tuple[str, str]:
        """The admitted name and kind of a failure; what was tried need not be a name that a user class gave."""
        return self._kinds.admit(OTHER if self._names.has_gathered(what) else what, kind)


def _unchanged(admitted: Mapping[T, T]) -> bool:
    return all(given == found for given, found in admitted.items())


def _together(histograms: Iterable[tuple[str, Histogram]]) -> dict[str, Histogram]:
    """The histograms by name; those of the same name are added up."""
    found: dict[str, Histogram] = {}
    for metric, histogram in histograms:
        if metric in found:
            found[metric] = found[metric].copy()
            found[metric].add(histogram)
        else:
            found[metric] = histogram
    return found
