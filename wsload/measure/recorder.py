"""The recorder: where the loop thread puts its measurements. No locks, no I/O, and no clock of its own.

On the message path, recording a sample is one ``append`` to a plain list. `flush` moves a long list into
its histogram with numpy, and `freeze` hands out a second's worth as a `Snapshot`, from which another
thread makes the `Interval`. The listener, which feeds Locust, gets the same lists.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Protocol

from wsload.measure.detailed import DetailedTime
from wsload.measure.given_names import clean, clean_counter
from wsload.measure.histogram import Histogram
from wsload.measure.kind_limit import KindLimit
from wsload.measure.lateness import Lateness
from wsload.measure.name_limit import NameLimit
from wsload.measure.names import LAGGED, OWN, UNLAGGED, Figures, Kind, counters, metrics
from wsload.measure.snapshot import Snapshot

LONG: Final = 2_000
"""`flush` moves a list of at least this many samples, which takes about 0.2 ms."""
MAX_LISTS: Final = 10_000
"""With more lists of values than this, which stay after each run, a run begins with the names of those before."""

Samples = tuple[str, list[int], list[int]]
"""A metric, its new values in ns, and the answers' sizes in bytes (empty unless the metric is a request)."""
LONGEST_DETAIL: Final = 300
"""Longer details of failures are cut to this many characters."""
Failure = tuple[str, str, int]
"""What was tried, the kind of failure, and its duration in ns (-1: not timed)."""


class Listener(Protocol):
    """Receives every sample and failure within a second, on the recorder's thread."""

    def samples(self, taken: list[Samples]) -> None:
        """New values of several metrics; a call per metric would cost the loop milliseconds every second."""

    def failures(self, failures: list[Failure], details: Mapping[tuple[str, str], str]) -> None:
        """New failures, in order."""


@functools.cache
def _counts_class(names: tuple[str, ...]) -> Any:
    """A class with a slot for each counter, so that counting is one attribute increment."""

    def __init__(self: Any) -> None:  # noqa: N807
        for name in names:
            setattr(self, name, 0)

    return type("Counts", (), {"__slots__": names, "__init__": __init__})


class Recorder:
    """Collects samples, counters and failures of one process; all values in ns.

    ``values[metric]`` is the list to append to; each flush replaces it, so don't keep a reference.
    ``count`` has an attribute for each registered counter; `add` counts the others, too. `declare` makes the lists of a
    name given by a user class.
    """

    __slots__ = ("_closes", "_counter_limit", "_counters", "_details", "_failed", "_failures", "_histograms",
                 "_kind_limit", "_limit", "_new", "_new_details", "_others", "_own_counters", "count", "declared",
                 "detailed", "kinds", "lateness", "listener", "sizes", "values")  # fmt: skip

    def __init__(self, listener: Listener | None = None) -> None:
        self.values: Final[dict[str, list[int]]] = {metric: [] for metric in metrics() if metric in OWN}
        self.sizes: Final[dict[str, list[int]]] = {}
        """By request, the sizes of the answers in bytes, in the order of their times in ``values``."""
        self.listener = listener
        self.detailed = False
        """Whether the times that the listener gets are `DetailedTime`."""
        self.lateness = Lateness()
        """The event loop's lateness, from its heartbeat."""
        self.kinds: Final[dict[str, Kind]] = {}
        """Every name declared in this run; after very many runs also in earlier ones."""
        self.declared: Final[dict[str, Figures]] = {}
        """The figures of requests, by the name passed to `declare`."""
        self._others: dict[str, Figures] = {}
        self._limit = NameLimit()
        self._counter_limit = NameLimit()
        self._own_counters: dict[str, str] = {}
        self._new: dict[str, Kind] = {}
        self._failed: list[Failure] = []
        self._kind_limit = KindLimit()
        self._details: dict[tuple[str, str], str] = {}
        self._new_details: dict[tuple[str, str], str] = {}
        self._start()

    def _start(self) -> None:
        self.count = _counts_class(counters())()
        self._counters: Counter[str] = Counter()
        self._histograms: dict[str, Histogram] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._closes: Counter[int] = Counter()

    def know_counters(self) -> None:
        """Gives ``count`` those that a protocol has registered since the last `freeze`."""
        before, names = self.count, counters()
        if len(before.__slots__) != len(names):
            self.count = _counts_class(names)()
            for name in before.__slots__:
                setattr(self.count, name, getattr(before, name))

    def declare(self, name: str, kind: Kind) -> Figures:
        """The figures of a request, step or value, made at the first call; those of ``other`` beyond the limit.

        Raises `ValueError` for a name that is reserved, or already declared as another kind.
        """
        known = self.declared if kind is Kind.REQUEST else self._others
        found = known.get(name)
        if found is not None and self.kinds.get(found.name) is kind:
            return found
        cleaned, limit = clean(name), self._limit
        gathered = limit.gathered
        if (used := self.kinds.get(cleaned, kind)) is not kind:
            raise ValueError(
                f"the name {cleaned!r} is already used for a {used}: choose another for the {kind}"
            )
        admitted = limit.admit(cleaned)
        found = Figures.of(admitted)
        if admitted == cleaned:
            known[name] = found
        self.count.names_gathered += limit.gathered - gathered
        if admitted not in self.kinds:
            self.kinds[admitted] = self._new[admitted] = kind
            for metric in (found.name, found.service, found.lost, found.failed, found.lagged, found.unlagged):
                self.values.setdefault(metric, [])
            self.sizes.setdefault(admitted, [])
        return found

    def late(self, metric: str, value: int, late_ns: int) -> None:
        """Notes that the load generator delayed the value just recorded by up to ``late_ns``.

        Delays within the slack are ignored.
        """
        if late_ns > self.lateness.slack_ns:
            self.values.setdefault(metric + LAGGED, []).append(value)
            self.values.setdefault(metric + UNLAGGED, []).append(max(value - late_ns, 0))

    def arrived(self, metric: str, from_ns: int, at_ns: int) -> None:
        """Records the time from a send to an arrival, either of which may have been delayed."""
        self.values[metric].append(self._with_details(at_ns - from_ns))
        lateness = self.lateness
        if at_ns > lateness.due_ns or lateness.until_ns > from_ns:
            self.late(metric, at_ns - from_ns, lateness.writing(from_ns) + lateness.reading(at_ns))

    def timed(self, metric: str, from_ns: int, to_ns: int, lag_ns: int = 0) -> None:
        """Records a duration, which the load generator may have delayed several times, by ``lag_ns`` at its start."""
        self.spent(metric, to_ns - from_ns, lag_ns + self.lateness.within(from_ns + lag_ns, to_ns))

    def spent(self, metric: str, time_ns: int, late_ns: int) -> None:
        """Records a duration, which the load generator delayed by up to ``late_ns``."""
        self.values[metric].append(self._with_details(time_ns))
        self.late(metric, time_ns, late_ns)

    def _with_details(self, time_ns: int) -> int:
        plain = self.detailed and not isinstance(time_ns, DetailedTime)
        return DetailedTime.ended(time_ns) if plain else time_ns

    def forget_names(self) -> None:
        """Makes room for a run's own names; called before its first user is created, on any thread.

        The lists of values stay, since users that an earlier run has dropped may still record. If there are too many
        of them, the names stay, too.
        """
        if len(self.values) <= MAX_LISTS:
            self.kinds.clear()  # before `declared`: what is in there must be in here
            self.declared.clear()
            self._others.clear()
            self._own_counters.clear()
        self._limit = NameLimit(self.kinds)
        self._counter_limit = NameLimit(self._own_counters.values())

    def begin(self) -> None:
        """Starts a run: forgets what was recorded before; the first interval lists all names known by then."""
        self.freeze(start_s=0, length_s=0, gauges={})
        self._kind_limit = KindLimit()
        self._details.clear()
        self._new_details = {}
        self._new = dict(self.kinds)

    def add(self, counter: str, number: int = 1) -> None:
        """Adds to a counter by its name; adding 0 declares one that is not registered."""
        self._counters[counter] += number

    def counter(self, name: str) -> str:
        """The name under which a user class's counter is stored, see `clean_counter`; ``other`` beyond the limit."""
        found = self._own_counters.get(name)
        if found is None:
            cleaned, limit = clean_counter(name), self._counter_limit
            gathered = limit.gathered
            found = limit.admit(cleaned)
            self.count.names_gathered += limit.gathered - gathered
            if found == cleaned:
                self._own_counters[name] = found
        return found

    def failed(self, what: str, kind: str, age_ns: int = -1, *, number: int = 1, detail: str = "") -> None:
        """Counts a failure: ``what`` was tried (``open``, a request's name …), and how it failed.

        ``age_ns`` is how long the attempt had taken (-1: not timed). ``number`` equal failures reach the listener as
        one. Only the first ``detail`` of each kind is kept. Beyond the limit of `KindLimit` the kind is `OTHER_KINDS`.
        """
        what, kind = self._kind_limit.admit(what, kind)
        if detail and (what, kind) not in self._details:
            printable = "".join(each if each.isprintable() else " " for each in detail)
            self._details[what, kind] = self._new_details[what, kind] = printable[:LONGEST_DETAIL]
        self._failures[what, kind] += number
        self._failed.append((what, kind, self._with_details(age_ns)))

    def closed(self, code: int) -> None:
        """Counts a closed connection by its close code (1006 if no close frame came)."""
        self._closes[code] += 1

    def flush(self) -> bool:
        """Moves the longest list of samples into its histogram, if it is long; returns whether it did.

        Only one, since lists get long together: between two calls the loop can serve its sockets.
        """
        metric = max(list(self.values), key=lambda each: len(self.values[each]))
        if len(self.values[metric]) < LONG:
            return False
        taken = self._take(metric)
        self._histograms.setdefault(metric, Histogram()).record(taken[1])
        if self.listener is not None:
            self.listener.samples([taken])
        return True

    def freeze(self, *, start_s: float, length_s: float, gauges: dict[str, int]) -> Snapshot:
        """Hands out everything since the last freeze. Takes about 10 µs."""
        # A copy, since the hub declares the names of a user that it creates meanwhile. Of the keys only: making the
        # tuples of items() may start the garbage collector, whose finalizers let the hub's thread run amid the copy.
        taken = [self._take(metric) for metric in list(self.values) if self.values[metric]]
        snapshot = Snapshot(
            self._histograms,
            {metric: values for metric, values, _ in taken},
            self.count,
            own_counters=self._counters,
            failures=self._failures,
            details=self._new_details,
            closes=self._closes,
            names=self._new,
            start_s=start_s,
            length_s=length_s,
            gauges=gauges,
        )
        self._new, self._new_details = {}, {}
        if taken and self.listener is not None:
            self.listener.samples(taken)
        failed, self._failed = self._failed, []
        if failed and self.listener is not None:
            self.listener.failures(failed, self._details)
        self._start()
        return snapshot

    def _take(self, metric: str) -> Samples:
        """Takes the metric's samples and starts a new list."""
        values, self.values[metric] = self.values[metric], []
        sizes: list[int] = self.sizes.get(metric, [])
        if sizes:
            self.sizes[metric] = []
        return metric, values, sizes
