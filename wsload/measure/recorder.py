"""The recorder: where the loop thread puts what it measured. No locks, no clock, no I/O.

On the message path a sample is one ``append`` to a plain list; `flush` moves long lists into
histograms by numpy, and `freeze` hands out a second's worth as a `Draft`, out of which another
thread makes the `Interval`. Samples that Locust should see too are handed on in the same lists.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Protocol

from wsload.measure.histogram import Histogram
from wsload.measure.interval import COUNTERS, METRICS, Interval

LONG: Final = 2_000
"""So many samples are moved into a histogram at once, in about 0.1 ms."""

Failure = tuple[str, str, int]
"""What was tried, the kind of failure, and how long it had taken by then in ns (-1: not timed)."""


class Tap(Protocol):
    """Somebody who wants to see every sample too, within a second, on the recorder's thread."""

    def samples(self, metric: str, values: list[int], sizes: list[int]) -> None:
        """New values in ns; for ``message`` the replies' sizes in bytes too, else empty."""

    def failures(self, failures: list[Failure]) -> None:
        """New failures, in order."""


class Counts:
    """The running counters, one slot each, so that counting is one attribute's increment."""

    __slots__ = COUNTERS

    def __init__(self) -> None:
        for name in COUNTERS:
            setattr(self, name, 0)

    opens: int
    open_failures: int
    logins: int
    login_failures: int
    renamed: int
    reconnects: int
    users_ended: int
    sent: int
    received: int
    bytes_out: int
    bytes_in: int
    deliveries_own_host: int
    deliveries_foreign: int
    lost: int
    timeouts: int
    late: int
    duplicates: int
    out_of_order: int
    unsent: int
    rosters: int
    unknown_types: int
    malformed: int
    binary: int
    reads_paused: int
    out_of_range: int
    cpu_ns: int


class Draft:
    """What was recorded since the last freeze, not yet an `Interval`: `interval` does the arithmetic.

    That costs a millisecond, which the measuring thread need not spend.
    """

    __slots__ = ("_histograms", "_parts", "_rest")

    def __init__(self, histograms: dict[str, Histogram], rest: dict[str, list[int]], **parts: Any) -> None:
        self._histograms = histograms
        self._rest = rest
        self._parts = parts

    def interval(self) -> Interval:
        """The interval; to be asked for once."""
        histograms = self._histograms
        for metric, values in self._rest.items():
            histograms.setdefault(metric, Histogram()).record(values)
        counters = {name: number for name in COUNTERS if (number := getattr(self._parts["counts"], name))}
        overflow = sum(histogram.overflow for histogram in histograms.values())
        if overflow:
            counters["out_of_range"] = overflow
        return Interval(
            start_s=self._parts["start_s"],
            length_s=self._parts["length_s"],
            histograms=histograms,
            counters=counters,
            gauges=self._parts["gauges"],
            failures=dict(self._parts["failures"]),
            closes=dict(self._parts["closes"]),
        )


class Recorder:
    """Collects samples, counters and failures of one process; all values in ns.

    ``values[metric]`` is the list to append to; it is a new list after each flush, so never keep
    it for longer than one call. ``count`` has a slot per counter of `COUNTERS`.
    """

    __slots__ = ("_closes", "_failed", "_failures", "_histograms", "count", "sizes", "tap", "values")

    def __init__(self, tap: Tap | None = None) -> None:
        self.values: Final[dict[str, list[int]]] = {metric: [] for metric in METRICS}
        self.sizes: list[int] = []
        """Bytes of the replies whose times are in ``values["message"]``, in the same order."""
        self.tap = tap
        self._failed: list[Failure] = []
        self._begin()

    def _begin(self) -> None:
        self.count = Counts()
        self._histograms: dict[str, Histogram] = {}
        self._failures: Counter[tuple[str, str]] = Counter()
        self._closes: Counter[int] = Counter()

    def failed(self, what: str, kind: str, age_ns: int = -1) -> None:
        """Counts a failure: ``what`` was tried (``open``, ``login``, ``message`` …), and how it failed.

        ``age_ns`` is how long it had taken by then, where that means something.
        """
        self._failures[what, kind] += 1
        self._failed.append((what, kind, age_ns))

    def closed(self, code: int) -> None:
        """Counts a connection's end by its close code (1006 where no close frame came)."""
        self._closes[code] += 1

    def flush(self) -> None:
        """Moves long lists of samples into their histograms, so that no list grows for a second."""
        for metric, values in self.values.items():
            if len(values) >= LONG:
                self._take(metric)
                self._histograms.setdefault(metric, Histogram()).record(values)

    def freeze(self, *, start_s: float, length_s: float, gauges: dict[str, int]) -> Draft:
        """Everything since the last freeze; the recorder starts anew. Takes some 10 µs."""
        draft = Draft(
            self._histograms,
            {metric: self._take(metric) for metric, values in self.values.items() if values},
            counts=self.count,
            failures=self._failures,
            closes=self._closes,
            start_s=start_s,
            length_s=length_s,
            gauges=gauges,
        )
        failed, self._failed = self._failed, []
        if failed and self.tap is not None:
            self.tap.failures(failed)
        self._begin()
        return draft

    def _take(self, metric: str) -> list[int]:
        """The metric's samples, shown to the tap; a new list is begun."""
        values, self.values[metric] = self.values[metric], []
        sizes: list[int] = []
        if metric == "message":
            sizes, self.sizes = self.sizes, []
        if self.tap is not None:
            self.tap.samples(metric, values, sizes)
        return values
