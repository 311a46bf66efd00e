"""Feeds every sample to Locust's statistics: in batches while only Locust listens, otherwise one by one.

Firing a ``request`` event takes 2 to 4 µs of interpreter time, which the measuring loop shares. Locust's
table only needs sums and counts, which numpy computes for a tenth of a second's samples at once. As soon as
somebody else listens to ``request``, each sample is fired as an event.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import gevent
import numpy as np
from locust.stats import RequestStats, StatsEntry, StatsError

from wsload.errors import WorkloadError
from wsload.load.locust.bridge import Bridge
from wsload.load.locust.compat import custom_rounding, is_locusts_own, listeners, remember_second
from wsload.load.locust.ending import Listeners
from wsload.load.locust.lane import SLICE
from wsload.measure.names import OWN, split
from wsload.measure.recorder import Failure, Samples


class _Type(str):
    __slots__ = ()


TYPE: Final = _Type("WS")
"""The request type of wsload's rows. Events fired by wsload are recognized by this very object."""
ROWS: Final = frozenset(("open", "login", "close"))
"""wsload's own metrics that are rows in Locust's table, besides the names of user classes."""


Details = Mapping[tuple[str, str], str]
FEW: Final = 100
"""Up to this many values a loop is faster than numpy."""


class StatisticsFeed:
    """A listener of the recorder that passes every sample to Locust, on the hub.

    ``url`` is the ``url`` argument of each ``request`` event; ``known`` are names whose figures Locust already has.
    """

    def __init__(
        self, bridge: Bridge, environment: Any, url: str = "", known: Collection[str] = frozenset()
    ) -> None:
        self._bridge = bridge
        self._environment = environment
        self._url = url
        self._known = known
        self._listeners = Listeners(environment)

    # On the loop's thread

    def samples(self, taken: list[Samples]) -> None:
        self._bridge.to_listeners(self._feed, taken)

    def failures(self, failures: list[Failure], details: Details) -> None:
        if unknown := [failure for failure in failures if failure[0] not in self._known]:
            self._bridge.to_listeners(self._fail, unknown, details)

    # On the hub

    def _feed(self, taken: list[Samples]) -> None:
        rows = [each for each in taken if self._is_row(each[0])]
        if not only_aggregates_are_wanted(self._environment):
            for name, values, sizes in rows:
                for place, value in enumerate(values, 1):
                    self._fire(name, value / 1e6, sizes[place - 1] if sizes else 0, None)
                    _give_others_a_turn(place)
        elif rows:
            stats = self._environment.stats
            for name, values, sizes in rows:
                log_many(stats.get(name, TYPE), values, sum(sizes))
            every = [value for _, values, _ in rows for value in values]
            log_many(stats.total, every, sum(sum(sizes) for *_, sizes in rows))

    def _is_row(self, metric: str) -> bool:
        named = metric not in OWN and not split(metric)[1]
        return (named or metric in ROWS) and metric not in self._known

    def _fail(self, failures: list[Failure], details: Details) -> None:
        """Locust tells errors by their text: all of one kind have the details of the first."""
        if not only_aggregates_are_wanted(self._environment):
            for place, (what, kind, age_ns) in enumerate(failures, 1):
                self._fire(what, age_ns / 1e6 if age_ns >= 0 else None, 0, _error(what, kind, details))
                _give_others_a_turn(place)
            return
        alike: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for what, kind, age_ns in failures:
            alike[what, kind].append(age_ns)
        for (what, kind), ages in alike.items():
            fail_many(self._environment.stats, what, _error(what, kind, details), ages)

    def _fire(self, name: str, time_ms: float | None, length: int, error: WorkloadError | None) -> None:
        """Fires a ``request`` event, with every argument that Locust documents."""
        self._listeners.call(
            self._environment.events.request.fire,
            request_type=TYPE,
            name=name,
            response_time=time_ms,
            response_length=length,
            response=None,
            context={},
            exception=error,
            start_time=time.time() - (time_ms or 0) / 1e3,
            url=self._url,
        )


def _error(what: str, kind: str, details: Details) -> WorkloadError:
    return WorkloadError(kind, details.get((what, kind), ""))


def _give_others_a_turn(done: int) -> None:
    """Else thousands of events in a row hold up all that the hub does, such as ending the run in time."""
    if done % SLICE == 0:
        gevent.sleep(0)


def only_aggregates_are_wanted(environment: Any) -> bool:
    """Whether only Locust's statistics and wsload listen to ``request``."""
    return all(
        is_locusts_own(listener) or getattr(listener, "__module__", "").startswith("wsload.")
        for listener in listeners(environment.events.request)
    )


def log_many(entry: StatsEntry, values: list[int], content_length: int) -> None:
    """Does for many response times (ns) at once what ``StatsEntry.log`` does for one."""
    now = time.time()
    second = int(now)
    last = entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        remember_second(entry, second - 1)
    entry.num_requests += len(values)
    entry.num_reqs_per_sec[second] += len(values)
    entry.last_request_timestamp = now
    entry.total_response_time += sum(values) / 1e6  # type: ignore[assignment]  # ms with fractions
    least, most = min(values) / 1e6, max(values) / 1e6
    known = entry.min_response_time
    entry.min_response_time = least if known is None else min(known, least)  # type: ignore[assignment]
    entry.max_response_time = max(entry.max_response_time, most)  # type: ignore[assignment]
    entry.total_content_length += content_length
    for value, number in _rounded(values):
        entry.response_times[value] += number


def fail_many(stats: RequestStats, name: str, error: WorkloadError, ages: list[int]) -> None:
    """What Locust does with a failed request, for many of one kind at once: their ages in ns, -1 for those without."""
    entries, timed = (stats.total, stats.get(name, TYPE)), [age for age in ages if age >= 0]
    for entry in entries:
        if timed:
            log_many(entry, timed, 0)
        if untimed := len(ages) - len(timed):
            entry.log(None, 0)  # type: ignore[arg-type]  # as Locust itself does
            entry.num_requests += untimed - 1
            entry.num_none_requests += untimed - 1
            entry.num_reqs_per_sec[int(time.time())] += untimed - 1
    stats.log_error(TYPE, name, error)
    further = len(ages) - 1
    stats.errors[StatsError.create_key(TYPE, name, error)].occurrences += further
    for entry in entries:
        entry.num_failures += further
        entry.num_fail_per_sec[int(time.time())] += further


def _rounded(values: list[int]) -> Iterable[tuple[int, int]]:
    """Counts the values (ns) by ms as Locust rounds them: to two digits, or with a custom function."""
    if round_one := custom_rounding():
        return Counter(int(round_one(value / 1e6)) for value in values).items()
    if len(values) <= FEW:
        return Counter(map(_rounded_one, values)).items()
    milliseconds = np.array(values, dtype=np.int64) / 1e6
    steps = np.select([milliseconds < 100, milliseconds < 1000, milliseconds < 10000], [1, 10, 100], 1000)
    found = np.unique(np.round(milliseconds / steps).astype(np.int64) * steps, return_counts=True)
    return zip(*(each.tolist() for each in found), strict=True)


def _rounded_one(value: int) -> int:
    milliseconds = value / 1e6
    step = 1 if milliseconds < 100 else 10 if milliseconds < 1000 else 100 if milliseconds < 10000 else 1000
    return round(milliseconds / step) * step
