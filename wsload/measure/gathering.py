"""The limit on names, applied to a whole run.

Each process admits its first `wsload.measure.names.MAX_NAMES` names, but several processes together may bring
more. The limit is applied again where their intervals are merged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, added, named, told
from wsload.measure.name_limit import NameLimit
from wsload.measure.names import GATHERED, LATE_IN, OTHER, OWN, counters, split


class RunNames:
    """The names of one run; those beyond the limit become `OTHER` in histograms, counters and failures alike."""

    __slots__ = ("_counters", "_names", "_places")

    def __init__(self) -> None:
        self._names = NameLimit()
        self._counters = NameLimit()
        self._places = NameLimit()
        """Of lateness: nobody chose them, so they take no counter's place and nobody is warned of more."""

    def admit(self, interval: Interval) -> Interval:
        """The interval with no name beyond the limit; the counter `GATHERED` says how many were gathered."""
        found = dict.fromkeys(split(metric)[0] for metric in interval.histograms) | interval.names.keys()
        before = self._names.gathered + self._counters.gathered
        renamed = {name: OTHER for name in found if name not in OWN and self._names.admit(name) == OTHER}
        renamed.pop(OTHER, None)
        own = interval.counters.keys() - set(counters())
        counted = {name: self._counter(name, renamed) for name in own}
        new = self._names.gathered + self._counters.gathered - before
        if not renamed and all(name == admitted for name, admitted in counted.items()):
            return interval
        histograms: dict[str, Histogram] = {}
        for metric, histogram in interval.histograms.items():
            base, suffix = split(metric)
            metric = renamed.get(base, base) + suffix
            if metric in histograms:
                histograms[metric] = histograms[metric].copy()
                histograms[metric].add(histogram)
            else:
                histograms[metric] = histogram
        numbers = added({counted.get(name, name): number} for name, number in interval.counters.items())
        return replace(
            interval,
            histograms=histograms,
            counters=added((numbers, {GATHERED: new})) if new else numbers,
            failures=_renamed(interval.failures, renamed),
            details=told(
                {(renamed.get(what, what), kind): detail} for (what, kind), detail in interval.details.items()
            ),
            names=named({renamed.get(name, name): kind} for name, kind in interval.names.items()),
        )

    def _counter(self, counter: str, renamed: Mapping[str, str]) -> str:
        """The admitted name of a counter; a counter of a request is renamed with that request."""
        if counter.startswith(LATE_IN):
            return counter if self._places.admit(counter) == counter else f"{LATE_IN}{OTHER} places"
        for between in (".", ": "):
            name, found, rest = counter.rpartition(between)
            if found and name in renamed:
                return f"{OTHER}{between}{rest}"
            if found and (name in self._names or name in OWN):
                return counter
        return self._counters.admit(counter)


def _renamed(
    failures: Mapping[tuple[str, str], int], renamed: Mapping[str, str]
) -> Mapping[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for (what, kind), number in failures.items():
        found[renamed.get(what, what), kind] += number
    return dict(found)
