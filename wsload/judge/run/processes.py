"""The processes of the load generator over a run: CPU, lateness, and which of them stand out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from wsload.judge.run.trust import TOLERANCE_NS, trusted_up_to
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import OWN, Kind, leading, split
from wsload.results.run import RunWarning
from wsload.words import milliseconds

BUSY: Final = 0.85
"""CPU share of one core above which a process is saturated."""
STANDS_OUT: Final = 1_000
"""Messages needed to compare a process's p99 with that of others."""

Kinds = Mapping[str, Kind]

LAGS: Final = ("send_lag", "loop_lag")
JUDGED: Final = ("message", *LAGS)
"""What a master keeps of each worker: of other names, its process has no figures of its own."""


def answered_in(interval: Interval, kinds: Kinds) -> int:
    """How many requests were answered; names without an entry in ``kinds`` are taken for requests."""
    return sum(
        found.total
        for name, found in interval.histograms.items()
        if name not in OWN and not split(name)[1] and kinds.get(name, Kind.REQUEST) is Kind.REQUEST
    )


def judged(interval: Interval) -> Interval:
    """With the histograms by which a worker is judged; all names of hundreds of workers would take gigabytes."""
    histograms = {name: found for name, found in interval.histograms.items() if split(name)[0] in JUDGED}
    return replace(interval, histograms=histograms)


class ProcessFigures:
    """Adds up the intervals of one process."""

    def __init__(self, name: str, of: Callable[[], Totals] | None = None, *, together: bool = False) -> None:
        """``of`` returns the totals, if they are added up elsewhere anyway. ``together`` says that each interval is the
        sum of several processes, so that none of them can be found to be saturated.
        """
        self.name = name
        """For warnings; empty if there is only one process."""
        self._of = of
        self._together = together
        self._totals = Totals()
        self.reset()

    def reset(self) -> None:
        """Starts over."""
        self.seconds = 0
        """Intervals of half a second or more."""
        self.busy = 0
        """Those in which the process used more than `BUSY` of a core."""
        self.peak = 0.0
        """The highest share of a core used in any of them."""
        self.last = 0.0
        """The share in the latest of them."""
        self.answered = 0
        """Requests."""
        names, self._totals = self._totals.names, Totals()
        self._totals.names = names

    @property
    def totals(self) -> Totals:
        """The sum of the process's intervals."""
        return self._totals if self._of is None else self._of()

    @property
    def load(self) -> Totals:
        """The totals by which the load as a whole is judged; see `wsload.judge.run.doubts.doubts`."""
        return self.totals

    def add(self, interval: Interval, answered: int | None = None) -> None:
        """Adds the process's next interval; ``answered`` is given where it has not all histograms."""
        if self._of is None:
            self._totals.add(interval)
        self.answered += answered_in(interval, self.totals.names) if answered is None else answered
        if interval.length_s < 0.5:
            return
        share = interval.counters.get("cpu_ns", 0) / 1e9 / interval.length_s
        self.seconds += 1
        self.busy += share > BUSY and not self._together
        self.last = share
        self.peak = max(self.peak, share)

    @property
    def leading(self) -> str | None:
        """The name that represents the process; see `wsload.measure.names.leading`."""
        counts = {metric: found.total for metric, found in self.totals.histograms.items()}
        return leading(counts, self.totals.names)

    def figures(self, tolerance_ns: float = TOLERANCE_NS) -> dict[str, object]:
        """The process's own figures for summary.json, and those of its leading name; times in ns."""
        name = self.leading
        figures: dict[str, object] = {
            "name": self.name,
            "cpu_peak": round(self.peak, 3),
            "busy_seconds": self.busy,
            "seconds": self.seconds,
            "leading": name,
            "trusted_up_to": None if name is None else trusted_up_to(name, self.totals, tolerance_ns),
        }
        for metric in LAGS if name is None else (name, *LAGS):
            histogram = self.totals.histograms.get(metric)
            if histogram is not None:
                p50, p99 = histogram.percentiles((50, 99))
                figures[metric] = {"count": histogram.total, "p50_ns": p50, "p99_ns": p99}
        return figures


def standouts(processes: Iterable[ProcessFigures]) -> list[RunWarning]:
    """Warns of processes whose message p99 is more than twice the median of the others, and 1 ms above it.

    One slow process would go unnoticed among many.
    """
    p99s = {
        watch.name: watch.totals.histograms["message"].percentile(99)
        for watch in processes
        if "message" in watch.totals.histograms and watch.totals.histograms["message"].total >= STANDS_OUT
    }
    found = []
    for name, p99 in p99s.items():
        others = [value for other, value in p99s.items() if other != name]
        typical = statistics.median(others) if others else p99
        if p99 > 2 * typical and p99 > typical + 1_000_000:
            text = (
                f"{name} stands out: message p99 {milliseconds(p99)}, "
                f"the others' median {milliseconds(typical)}"
            )
            found.append(RunWarning(name="standout", text=text, remedy="look at that machine first"))
    return found
