"""The recorder: where the loop thread puts what it measured. No locks, no clock, no I/O.

On the message path a sample is one ``append`` to a plain list; `flush` moves long lists into
histograms by numpy, and `freeze` hands out a second's worth as a `Snapshot`, out of which another
thread makes the `Interval`. Samples that Locust should see too are handed on in the same lists.
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any, Final, Protocol

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, added
from wsload.measure.lateness import Lateness
from wsload.measure.name_limit import NameLimit
from wsload.measure.names import (
    JUDGED_KINDS,
    LAGGED,
    MOST_KINDS,
    OTHER_KINDS,
    UNLAGGED,
    Figures,
    Kind,
    clean,
    clean_counter,
    counters,
    metrics,
)

LONG: Final = 2_000
"""So many samples are moved into a histogram at once, in about 0.1 ms."""

Samples = tuple[str, list[int], list[int]]
"""A metric, its new values in ns, and for requests the answers' sizes in bytes, else nothing."""
Failure = tuple[str, str, int]
"""What was tried, the kind of failure, and how long it had taken by then in ns (-1: not timed)."""


class Listener(Protocol):
    """Sees every sample too, within a second, on the recorder's thread."""

    def samples(self, taken: list[Samples]) -> None:
        """New values, of several metrics at once: a call for each would cost the loop milliseconds a second."""

    def failures(self, failures: list[Failure]) -> None:
        """New failures, in order."""


@functools.cache
def _counts_class(names: tuple[str, ...]) -> Any:
    """A class with a slot for each counter, so that counting is one attribute's increment."""

    def __init__(self: Any) -> None:  # noqa: N807
        for name in names:
            setattr(self, name, 0)

    return type("Counts", (), {"__slots__": names, "__init__": __init__})


class Snapshot:
    """What was recorded since the last one, not yet an `Interval`: `interval` does the arithmetic.

    That costs a millisecond, which the measuring thread need not spend.
    """

    __slots__ = ("_counts", "_histograms", "_parts", "_rest")

    def __init__(
        self, histograms: dict[str, Histogram], rest: dict[str, list[int]], counts: Any, **parts: Any
    ) -> None:
        self._histograms = histograms
        self._rest = rest
        self._counts = counts
        self._parts = parts

    def interval(self) -> Interval:
        """The interval; to be asked for once."""
        histograms = self._histograms
        for metric, values in self._rest.items():
            histograms.setdefault(metric, Histogram()).record(values)
        found = {name: getattr(self._counts, name) for name in self._counts.__slots__}
        overflow = sum(histogram.overflow for histogram in histograms.values())
        found["out_of_range"] += overflow
        counted = {name: number for name, number in found.items() if number}
        return Interval(
            histograms=histograms,
            counters=added((counted, self._parts.pop("own_counters"))),
            **self._parts,
        )


class Recorder:
    """Collects samples, counters and failures of one process; all values in ns.

    ``values[metric]`` is the list to append to; it is a new list after each flush, so never keep
    it for longer than one call. ``count`` has an attribute for each registered counter; further ones are
    counted by `add`. `declare` makes the lists of a name that a user class brings.
    """

    __slots__ = ("_closes", "_counter_limit", "_counters", "_failed", "_failure_kinds", "_failures",
                 "_histograms", "_limit", "_new", "_others", "_own_counters",
                 "count", "declared", "kinds", "lateness", "listener", "sizes", "values")  # fmt: skip

    def __init__(self, listener: Listener | None = None) -> None:
        self.values: Final[dict[str, list[int]]] = {metric: [] for metric in metrics()}
        self.sizes: Final[dict[str, list[int]]] = {}
        """Bytes of the answers whose times are in ``values`` under the same request's name, in that order."""
        self.listener = listener
        self.lateness = Lateness()
        """How late the load generator itself was, by its heartbeat."""
        self.kinds: Final[dict[str, Kind]] = {}
        """Every name declared so far."""
        self.declared: Final[dict[str, Figures]] = {}
        """The figures of requests, by the name that `declare` was given."""
        self._others: dict[str, Figures] = {}
        self._limit = NameLimit()
        self._counter_limit = NameLimit()
        self._own_counters: dict[str, str] = {}
        self._new: dict[str, Kind] = {}
        self._failed: list[Failure] = []
        self._failure_kinds: set[tuple[str, str]] = set()
        self._start()

    def _start(self) -> None:
        self.count = _counts_class(counters())()
        self._counters: Counter[str] = Counter()
        self._histograms: dict[str, Histogram] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._closes: Counter[int] = Counter()

    def declare(self, name: str, kind: Kind) -> Figures:
        """The figures of a request, step or value; the first call for a name makes them.

        Beyond `wsload.measure.names.MOST_NAMES` they are those of ``other``. Raises `ValueError` for a name
        that can't be one, and for one that stands for something else.
        """
        known = self.declared if kind is Kind.REQUEST else self._others
        found = known.get(name)
        if found is not None and self.kinds[found.name] is kind:
            return found
        cleaned = clean(name)
        gathered = self._limit.gathered
        if self.kinds.get(cleaned, kind) is not kind:
            raise ValueError(
                f"the name {cleaned!r} is that of a {self.kinds[cleaned]}: a {kind} needs another"
            )
        admitted = self._limit.admit(cleaned)
        found = Figures.of(admitted)
        if admitted == cleaned:
            known[name] = found
        self.count.names_gathered += self._limit.gathered - gathered
        if admitted not in self.kinds:
            self.kinds[admitted] = self._new[admitted] = kind
            for metric in (found.name, found.service, found.lost, found.failed, found.lagged, found.unlagged):
                self.values.setdefault(metric, [])
            self.sizes[admitted] = []
        return found

    def late(self, metric: str, value: int, late_ns: int) -> None:
        """A value just recorded is too high by the load generator's own lateness, up to ``late_ns``.

        That which is as small as its slack is not looked at.
        """
        if late_ns > self.lateness.slack_ns:
            self.values.setdefault(metric + LAGGED, []).append(value)
            self.values.setdefault(metric + UNLAGGED, []).append(max(value - late_ns, 0))

    def arrived(self, metric: str, from_ns: int, at_ns: int) -> None:
        """Records the time from a sending until something arrived, which may have been written and read late."""
        self.values[metric].append(at_ns - from_ns)
        lateness = self.lateness
        if at_ns > lateness.due_ns or lateness.until_ns > from_ns:
            self.late(metric, at_ns - from_ns, lateness.writing(from_ns) + lateness.reading(at_ns))

    def timed(self, metric: str, from_ns: int, to_ns: int) -> None:
        """Records a stretch of several steps, each of which the load generator may have delayed."""
        self.values[metric].append(to_ns - from_ns)
        self.late(metric, to_ns - from_ns, self.lateness.within(from_ns, to_ns))

    def begin(self) -> None:
        """Forgets what was recorded so far, at the start of a run; names that are known are named again."""
        self.freeze(start_s=0, length_s=0, gauges={})
        self._failure_kinds.clear()
        self._new = dict(self.kinds)

    def add(self, counter: str, number: int = 1) -> None:
        """Adds to a counter that is not registered; adding 0 makes it known."""
        self._counters[counter] += number

    def counter(self, name: str) -> str:
        """What to call a user class's own counter: see `wsload.measure.names.clean_counter` and its limit."""
        found = self._own_counters.get(name)
        if found is None:
            cleaned, gathered = clean_counter(name), self._counter_limit.gathered
            found = self._counter_limit.admit(cleaned)
            self.count.names_gathered += self._counter_limit.gathered - gathered
            if found == cleaned:
                self._own_counters[name] = found
        return found

    def failed(self, what: str, kind: str, age_ns: int = -1, *, number: int = 1) -> None:
        """Counts a failure: ``what`` was tried (``open``, a request's name …), and how it failed.

        ``age_ns`` is how long it had taken by then, where that means something. The listener is shown a
        ``number`` of alike failures as one. Beyond `wsload.measure.names.MOST_KINDS` they are `OTHER_KINDS`.
        """
        if (what, kind) not in self._failure_kinds:
            if len(self._failure_kinds) >= MOST_KINDS and kind not in JUDGED_KINDS:
                kind = OTHER_KINDS
            else:
                self._failure_kinds.add((what, kind))
        self._failures[what, kind] += number
        self._failed.append((what, kind, age_ns))

    def closed(self, code: int) -> None:
        """Counts a connection's end by its close code (1006 where no close frame came)."""
        self._closes[code] += 1

    def flush(self) -> None:
        """Moves long lists of samples into their histograms, so that no list grows for a second."""
        taken = [self._take(metric) for metric, values in self.values.items() if len(values) >= LONG]
        for metric, values, _ in taken:
            self._histograms.setdefault(metric, Histogram()).record(values)
        if taken and self.listener is not None:
            self.listener.samples(taken)

    def freeze(self, *, start_s: float, length_s: float, gauges: dict[str, int]) -> Snapshot:
        """Everything since the last freeze; the recorder starts anew. Takes some 10 µs."""
        taken = [self._take(metric) for metric, values in self.values.items() if values]
        snapshot = Snapshot(
            self._histograms,
            {metric: values for metric, values, _ in taken},
            self.count,
            own_counters=self._counters,
            failures=self._failures,
            closes=self._closes,
            names=self._new,
            start_s=start_s,
            length_s=length_s,
            gauges=gauges,
        )
        self._new = {}
        if taken and self.listener is not None:
            self.listener.samples(taken)
        failed, self._failed = self._failed, []
        if failed and self.listener is not None:
            self.listener.failures(failed)
        self._start()
        return snapshot

    def _take(self, metric: str) -> Samples:
        """The metric's samples; a new list is begun."""
        values, self.values[metric] = self.values[metric], []
        sizes: list[int] = self.sizes.get(metric, [])
        if sizes:
            self.sizes[metric] = []
        return metric, values, sizes
