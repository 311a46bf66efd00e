"""The recorder: where the loop thread puts what it measured. No locks, no clock, no I/O.

On the message path a sample is one ``append`` to a plain list; `flush` moves the lists into
histograms by numpy, ten times a second, and `freeze` hands out a second's worth as a frozen
`Interval` and starts anew. Samples that Locust should see too are handed on in the same lists.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Protocol

from wsload.measure.histogram import Histogram
from wsload.measure.interval import COUNTERS, METRICS, Interval

Failure = tuple[str, str, int]
"""What was tried, the kind of failure, and how long it had taken by then in ns (-1: not timed)."""


class Tap(Protocol):
    """Somebody who wants to see every sample too, at each flush, on the recorder's thread."""

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
        """Moves the samples into the histograms, and shows them to the tap."""
        for metric, values in self.values.items():
            if not values:
                continue
            self.values[metric] = []
            histogram = self._histograms.get(metric)
            if histogram is None:
                histogram = self._histograms[metric] = Histogram()
            histogram.record(values)
            if self.tap is not None:
                self.tap.samples(metric, values, self.sizes if metric == "message" else [])
        self.sizes = []
        failed, self._failed = self._failed, []
        if failed and self.tap is not None:
            self.tap.failures(failed)

    def freeze(self, *, start_s: float, length_s: float, gauges: dict[str, int]) -> Interval:
        """Everything since the last freeze, as a value of its own; the recorder starts anew."""
        self.flush()
        histograms, counts = self._histograms, self.count
        failures, closes = self._failures, self._closes
        self._begin()
        counters = {name: number for name in COUNTERS if (number := getattr(counts, name))}
        overflow = sum(histogram.overflow for histogram in histograms.values())
        if overflow:
            counters["out_of_range"] = counters.get("out_of_range", 0) + overflow
        return Interval(
            start_s=start_s,
            length_s=length_s,
            histograms=histograms,
            counters=counters,
            gauges=gauges,
            failures=dict(failures),
            closes=dict(closes),
        )
