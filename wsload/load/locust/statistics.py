"""Feeds every sample to Locust's statistics: in batches while only Locust listens, otherwise one by one.

Firing a ``request`` event takes 2 to 4 µs of interpreter time, which the measuring loop shares. Locust's
table only needs sums and counts, which numpy computes for a tenth of a second's samples at once. As soon as
somebody else listens to ``request``, each sample is fired as an event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

import gevent

from wsload.errors import WorkloadError
from wsload.load.locust.bridge import Bridge
from wsload.load.locust.compat import listeners
from wsload.load.locust.ending import Listeners
from wsload.load.locust.lane import SLICE
from wsload.load.locust.statistics_compat import fail_many, is_locusts_own, log_many
from wsload.measure.detailed import DetailedTime
from wsload.measure.names import OWN, split
from wsload.measure.recorder import Failure, Samples


class _Type(str):
    __slots__ = ()


TYPE: Final = _Type("WS")
"""The request type of wsload's rows. Events fired by wsload are recognized by this very object."""
ROWS: Final = frozenset(("open", "login", "close"))
"""wsload's own metrics that are rows in Locust's table, besides the names of user classes."""


Details = Mapping[tuple[str, str], str]


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
                    self._fire(name, value, sizes[place - 1] if sizes else 0, None)
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
        """Locust distinguishes errors by their text, so all of one kind get the details of the first."""
        if not only_aggregates_are_wanted(self._environment):
            for place, (what, kind, age_ns) in enumerate(failures, 1):
                self._fire(what, age_ns, 0, _error(what, kind, details))
                _give_others_a_turn(place)
            return
        alike: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for what, kind, age_ns in failures:
            alike[what, kind].append(age_ns)
        for (what, kind), ages in alike.items():
            fail_many(self._environment.stats, TYPE, what, _error(what, kind, details), ages)

    def _fire(self, name: str, time_ns: int, length: int, error: WorkloadError | None) -> None:
        """Fires a ``request`` event, with every argument that Locust documents."""
        detailed = time_ns if isinstance(time_ns, DetailedTime) else DetailedTime.ended(time_ns)
        self._listeners.call(
            self._environment.events.request.fire,
            request_type=TYPE,
            name=name,
            response_time=time_ns / 1e6 if time_ns >= 0 else None,
            response_length=length,
            response=detailed.response,
            context=detailed.context,
            exception=error,
            start_time=detailed.start_s,
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
