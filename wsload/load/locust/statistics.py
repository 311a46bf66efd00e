"""Locust's own statistics, fed with every sample: in aggregate while only Locust listens, else one by one.

A fired ``request`` event costs 2 to 4 µs of the interpreter that the measuring loop shares. Locust's
table needs sums and counts only, which numpy adds up for a tenth of a second's samples at once. As
soon as somebody else listens to ``request``, each sample is fired as an event.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

import numpy as np
from locust.stats import StatsEntry

from wsload.errors import WorkloadError
from wsload.load.locust.bridge import Bridge
from wsload.load.locust.compat import is_locusts_own, listeners, own_rounding, remember_second
from wsload.load.locust.ending import Listeners
from wsload.measure.names import OWN, split
from wsload.measure.recorder import Failure


class _Type(str):
    __slots__ = ()


TYPE: Final = _Type("WS")
"""The request type of wsload's rows. Events that wsload fires are known by this very object."""
ROWS: Final = frozenset(("open", "login", "close"))
"""wsload's own metrics that are rows in Locust's table, beside all that user classes name."""


class StatisticsFeed:
    """Hears of every sample on the loop's thread and hands it to Locust on the hub's.

    ``url`` is what listeners get as the ``url`` of each request; ``known`` are names that Locust has the
    figures of already.
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

    def samples(self, metric: str, values: list[int], sizes: list[int]) -> None:
        named = metric not in OWN and not split(metric)[1]
        if (named or metric in ROWS) and metric not in self._known:
            self._bridge.to_listeners(self._feed, metric, values, sizes)

    def failures(self, failures: list[Failure]) -> None:
        if unknown := [failure for failure in failures if failure[0] not in self._known]:
            self._bridge.to_listeners(self._fail, unknown)

    # On the hub

    def _feed(self, name: str, values: list[int], sizes: list[int]) -> None:
        if only_aggregates_are_wanted(self._environment):
            stats = self._environment.stats
            milliseconds = np.array(values, dtype=np.int64) / 1e6
            for entry in (stats.total, stats.get(name, TYPE)):
                log_many(entry, milliseconds, sum(sizes))
            return
        for place, value in enumerate(values):
            self._fire(name, value / 1e6, sizes[place] if sizes else 0, None)

    def _fail(self, failures: list[Failure]) -> None:
        for what, kind, age_ns in failures:
            self._fire(what, age_ns / 1e6 if age_ns >= 0 else None, 0, WorkloadError(kind))

    def _fire(self, name: str, time_ms: float | None, length: int, error: WorkloadError | None) -> None:
        """Fires one ``request``, with every argument that Locust documents."""
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


def only_aggregates_are_wanted(environment: Any) -> bool:
    """Whether nobody listens to ``request`` but Locust's own statistics and wsload."""
    return all(
        is_locusts_own(listener) or getattr(listener, "__module__", "").startswith("wsload.")
        for listener in listeners(environment.events.request)
    )


def log_many(entry: StatsEntry, milliseconds: Any, content_length: int) -> None:
    """What ``StatsEntry.log`` does with a response time, for many (ms, shape (n,)) at once."""
    now = time.time()
    second = int(now)
    last = entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        remember_second(entry, second - 1)
    count = len(milliseconds)
    entry.num_requests += count
    entry.num_reqs_per_sec[second] += count
    entry.last_request_timestamp = now
    entry.total_response_time += float(milliseconds.sum())  # type: ignore[assignment]  # ms with fractions
    least, most = float(milliseconds.min()), float(milliseconds.max())
    known = entry.min_response_time
    entry.min_response_time = least if known is None else min(known, least)  # type: ignore[assignment]
    entry.max_response_time = max(entry.max_response_time, most)  # type: ignore[assignment]
    entry.total_content_length += content_length
    for value, number in zip(*np.unique(_rounded(milliseconds), return_counts=True), strict=True):
        entry.response_times[int(value)] += int(number)


def _rounded(milliseconds: Any) -> Any:
    """Locust's rounding to two significant digits; its own function, should somebody have replaced it."""
    if round_one := own_rounding():
        return np.array([round_one(value) for value in milliseconds.tolist()])
    steps = np.select([milliseconds < 100, milliseconds < 1000, milliseconds < 10000], [1, 10, 100], 1000)
    return np.round(milliseconds / steps) * steps
