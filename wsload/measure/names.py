"""Names of metrics and counters: data, not code.

The core knows its own names, and the figures that every request has. A protocol registers what it adds when a
class of its users is defined; user classes name their requests, steps and values while they run. A request
named ``buy`` has the response times ``buy``, the service times ``buy.service``, ``buy.lost`` (the ages of requests
given up) and ``buy.failed`` (the times of requests that were refused).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import product
from typing import Final

SERVICE: Final = ".service"
LOST: Final = ".lost"
FAILED: Final = ".failed"
LAGGED: Final = ".lagged"
UNLAGGED: Final = ".unlagged"
"""The values that the load generator delayed, and the same values without that delay: shows which percentiles the
delay moved. Not shown in reports."""
LATENESS: Final = (LAGGED, UNLAGGED)
SUFFIXES: Final = (SERVICE, LOST, FAILED)
COUNTED: Final = (".late", ".duplicates", ".overlapped", ".unpaired")
"""Suffixes of a request's counters."""

MESSAGE: Final = "message"
"""The default name of a request."""
LATE_IN: Final = "late in "
"""Prefix of the counters that say which code was running when the event loop was late."""

FORGOTTEN: Final = "forgotten await"
"""The name under which coroutines that were never awaited are counted as failures."""

MAX_NAMES: Final = 200
"""Names of requests, steps and values in a run; further ones become `OTHER`."""
LONGEST_NAME: Final = 100
"""In longer names, a checksum stands for the middle."""
OTHER: Final = "other"
MAX_KINDS: Final = 200
"""Distinct (name, kind) pairs of failures in a run; further ones are counted as `OTHER_KINDS` of their name."""
OTHER_KINDS: Final = "other failures"
TOO_LATE: Final = "load generator too late"
"""The kind of failure of what was due but never started, because the load generator was too slow."""
NOT_CONNECTED: Final = "not connected"
TOO_MANY: Final = "too many in flight"
KEY_IN_FLIGHT: Final = "key in flight"
WAITED: Final = "waited for the task before"
"""Kinds of failure of requests that were due but not sent."""
TIMEOUT: Final = "timeout"
UNANSWERED: Final = "no answer by the end"
CANCELLED: Final = "cancelled"
"""The task stopped waiting, as with `asyncio.timeout`."""
"""Kinds of failure of requests that were sent."""
NO_FILES: Final = "too many open files"
NO_PORT: Final = "no free port"
OWN_FAULTS: Final = frozenset((TOO_LATE, NO_FILES, NO_PORT))
"""Kinds of failure that are the load generator's or its machine's fault, not the server's; exempt from the limit."""
MAX_GATHERED: Final = 10_000
"""At most this many distinct names beyond the limit are counted."""
GATHERED: Final = "names_gathered"
"""The counter of names beyond the limit: each counts once in every process that gathered it."""
FAILURES: Final = "failures"
"""The total of all failures, which is not a counter."""


class Kind(StrEnum):
    """What a name given by a user class stands for."""

    REQUEST = "request"
    """A message and its answer: it has service times, and may be lost or refused."""
    STEP = "step"
    """Several messages measured as one; it may fail."""
    VALUE = "value"
    """Times that the user class records itself."""


class OwnWait(StrEnum):
    """What wsload itself waits for, each with its counter: how much later due tasks began because of that, in all."""

    SURPLUS = "late_surplus_ns"
    """For surplus answers, before a connection is closed."""
    PAUSE = "late_pause_ns"
    """Before a call fails at once."""
    HTTP = "late_http_ns"
    """For the client of ``self.http`` to be made or closed."""


PARTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.REQUEST: ("", *SUFFIXES),
    Kind.STEP: ("", FAILED),
    Kind.VALUE: ("",),
}
"""Suffixes of the metrics that a name of each kind has."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The histograms of one named request, step or value."""

    name: str
    """Response times, from when the request was due to its answer."""
    service: str
    """Service times, from when the request was sent to its answer."""
    lost: str
    """Ages of the requests given up."""
    failed: str
    """Times to the answers that were refusals."""
    lagged: str
    unlagged: str

    @classmethod
    def of(cls, name: str) -> Figures:
        return cls(name, *(name + suffix for suffix in (*SUFFIXES, LAGGED, UNLAGGED)))


_METRICS: dict[str, str] = {
    "open": "from when the connection was due until the upgrade was verified",
    "open.dns": "resolving the server's name",
    "open.tcp": "making the TCP connection",
    "open.tls": "the TLS handshake",
    "open.redirect": "time spent on redirects before the final address",
    "open.upgrade": "the HTTP upgrade to WebSocket",
    "login": "from sending the login until the server confirmed it",
    "delivery": "from sending a message until another user on this host received it",
    "probe": "service time on the single connection of a separate process, next to the users",
    "ping": "ping to pong: the minimum that the network and the server's event loop take",
    "close": "from the close frame until the connection was closed",
    "send_lag": "how late the load generator started what was due",
    "loop_lag": "how late its event loop woke up",
    "gc_pause": "its garbage collector's pauses",
}
_COUNTERS: dict[str, str] = {
    "opens": "connections opened",
    "open_failures": "connections not opened",
    "reconnects": "reconnections",
    "users_ended": "users ended early",
    "sent": "WebSocket messages sent",
    "received": "WebSocket messages received",
    "bytes_out": "bytes out",
    "bytes_in": "bytes in",
    "requests": "requests sent",
    "lost": "requests lost",
    "timeouts": "requests timed out",
    "late": "answers that arrived after their request was given up",
    "duplicates": "answers received twice",
    "unsent": "due but not sent",
    "refused": "requests answered by a refusal",
    "pushes": "messages that answered no request",
    "unknown_keys": "messages whose key matched no request",
    "unread": "messages the user class never read",
    "reads_paused": "times reading was paused",
    "unpaired": "answers that could not be paired with certainty",
    GATHERED: "names beyond the limit, counted in each process",
    "out_of_range": "values out of range",
    "cpu_ns": "CPU time of the load generator",
    "late_ns": "late: the load generator's event loop",
    "late_working_ns": "late: while it was working",
    "late_waiting_ns": "late: while it waited for a core",
    "late_samples": "late: samples of what it was doing",
    OwnWait.SURPLUS.value: "late: due tasks, by waits for surplus answers",
    OwnWait.PAUSE.value: "late: due tasks, by pauses after failed calls",
    OwnWait.HTTP.value: "late: due tasks, by making HTTP clients",
}
_CORE: Final = (dict(_METRICS), dict(_COUNTERS))
OWN: Final = frozenset(_METRICS)
"""The core's own metrics. Requests, steps and values can't take these names, except ``login`` and ``delivery``."""
FREE: Final = frozenset(("login", "delivery"))
FAILING: Final = ("open", "close")
"""The core's own metrics whose failures are counted; a protocol's has a counter, such as ``login_failures``. The others
of `OWN` have no parts, except those in `FREE`, which may be names of requests."""
_KINDS: Final = {
    Kind.REQUEST: "response time: from when the request was due until its own answer arrived",
    Kind.STEP: "from the start of the step until its end",
    Kind.VALUE: "as the user class recorded it",
}
_PARTS: Final = {
    SERVICE: "service time: from when the request was actually sent until its own answer arrived",
    LOST: "age of a request when it was given up",
    FAILED: "time to an answer that was a refusal, or until the step failed",
}
GAUGES: Final[Mapping[str, str]] = {
    "users": "peak users",
    "connections": "peak connections",
    "in_flight": "peak requests in flight",
}
"""Levels at the end of an interval, with the labels of their peaks. Gauges of different processes add up."""


def register(metrics: Mapping[str, str] | None = None, counters: Mapping[str, str] | None = None) -> None:
    """Adds a protocol's metrics (name: meaning) and counters (name: label). Call it where a user class is defined.

    Counters become attributes of ``recorder.count``, so their names must be identifiers (`ValueError`). A name that
    is already registered keeps its text. A metric is recorded after `Recorder.declare` was told its kind.
    """
    for name in counters or ():
        if not name.isidentifier():
            raise ValueError(f"a registered counter's name must be an identifier, not {name!r}")
    for known, added in ((_METRICS, metrics), (_COUNTERS, counters)):
        for name, text in (added or {}).items():
            known.setdefault(name, text)


def metrics() -> tuple[str, ...]:
    """The registered metrics, in the order in which reports list them."""
    return tuple(_METRICS)


def counters() -> tuple[str, ...]:
    """The registered counters, in the order in which reports list them."""
    return tuple(_COUNTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The meanings of metrics and labels of counters, as registered in this process or stored with a run.

    A run that stored none is read with those registered here; otherwise a name that it stored none for is the core's or
    the user class's own.
    """

    metrics: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)

    def meaning(self, metric: str, kind: Kind = Kind.REQUEST) -> str:
        """What a metric measures; ``kind`` is that of its base name."""
        suffix = split(metric)[1]
        return self.complete().metrics.get(metric) or _PARTS.get(suffix) or _KINDS[kind]

    def label(self, counter: str) -> str:
        return self.complete().counters.get(counter) or counter.replace("_", " ")

    def complete(self) -> Labels:
        """With those of the core, or of this process if a run stored none."""
        if not self.metrics and not self.counters:
            return labels()
        own_metrics, own_counters = _CORE
        return Labels(metrics={**own_metrics, **self.metrics}, counters={**own_counters, **self.counters})


def labels() -> Labels:
    """Those of every registered name; a run stores them, so that it can be read without its protocol."""
    return Labels(metrics=dict(_METRICS), counters=dict(_COUNTERS))


@lru_cache(4096)
def split(metric: str) -> tuple[str, str]:
    """A metric's base name and its suffixes: ``("buy", ".lost")``, ``("buy", "")``, ``("buy", ".service.lagged")``."""
    base = metric
    for suffixes in (LATENESS, SUFFIXES):
        for suffix in suffixes:
            if base.endswith(suffix) and len(base) > len(suffix):
                base = base.removesuffix(suffix)
                break
    return base, metric[len(base) :]


def for_people(metric: str) -> bool:
    """Whether reports show the metric; the others only serve to judge the run."""
    return not metric.endswith(LATENESS)


def counted_for_people(counter: str) -> bool:
    """Whether reports show the counter; the others only serve to judge the run."""
    return not counter.startswith(LATE_IN)


def in_order(found: Iterable[str]) -> list[str]:
    """Metrics in the order of reports: those of the user classes, each with its parts, then the core's."""
    place = {metric: number for number, metric in enumerate(_METRICS)}
    parts = {
        part + lateness: number
        for number, (part, lateness) in enumerate(product(("", *SUFFIXES), ("", *LATENESS)))
    }

    def key(metric: str) -> tuple[int, int, str, int]:
        base, suffix = split(metric)
        if metric in OWN or base in OWN:
            return 1, place.get(metric, place.get(base, 0)), "", parts[suffix]
        return 0, base != MESSAGE, base, parts[suffix]

    return sorted(found, key=key)


def leading(counts: Mapping[str, int], kinds: Mapping[str, Kind]) -> str | None:
    """The name that represents a run where only one can be shown; None if there is none.

    ``message`` if it has values, else the request with the most values, else the step, else the value.
    """
    rank = {kind: place for place, kind in enumerate(Kind)}
    named = [name for name, count in counts.items() if count and name not in OWN and not split(name)[1]]
    return min(
        named,
        key=lambda name: (name != MESSAGE, rank[kinds.get(name, Kind.REQUEST)], -counts[name], name),
        default=None,
    )
