"""A run's figures, computed once and rendered many times.

The same `Totals` give the same summary, whether they were added up during the run or read from its directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.keys import join_key
from wsload.measure.names import (
    GAUGES,
    Kind,
    Labels,
    counted_for_people,
    for_people,
    in_order,
    labels,
    leading,
    split,
)
from wsload.results.run import SCHEMA

PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """One metric over the whole run. All but two fields are in ns."""

    count: int
    rate: float
    """Values per second of the time covered."""
    min_ns: int
    p50_ns: int
    p90_ns: int
    p95_ns: int
    p99_ns: int
    p99_9_ns: int
    max_ns: int
    mean_ns: int

    @property
    def percentiles(self) -> Mapping[float, int]:
        """Percentile (0 to 100) and its value in ns, in ascending order."""
        values = (self.p50_ns, self.p90_ns, self.p95_ns, self.p99_ns, self.p99_9_ns)
        return dict(zip(PERCENTILES, values, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run's figures; mappings are in the order in which reports list them."""

    duration_s: float = 0.0
    """The time covered by intervals, to the millisecond."""
    metrics: Mapping[str, MetricSummary] = field(default_factory=dict)
    """By metric; metrics without values are absent."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Sums by name, see `wsload.measure.names`; zeros are absent."""
    peaks: Mapping[str, int] = field(default_factory=dict)
    """The highest level of each gauge, see `wsload.measure.names.GAUGES`."""
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By (what was tried, kind of failure), most frequent first."""
    details: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Of each kind of failure the particulars of one, where there are any, in the order of ``failures``."""
    closes: Mapping[int, int] = field(default_factory=dict)
    """By close code (RFC 6455 section 7.4), in the order of the codes."""
    names: Mapping[str, Kind] = field(default_factory=dict)
    """The names given by user classes with their kinds, in the order of ``metrics``."""

    @property
    def leading(self) -> str | None:
        """The name that represents the run; see `wsload.measure.names.leading`."""
        return leading({metric: found.count for metric, found in self.metrics.items()}, self.names)

    def kind(self, metric: str) -> Kind:
        """The kind of this metric's name; one that was never named is taken for a request."""
        return self.names.get(split(metric)[0], Kind.REQUEST)

    def to_json(self) -> dict[str, object]:
        """The contents of summary.json: plain values with text keys."""
        return {
            "schema": SCHEMA,
            "duration_s": self.duration_s,
            "metrics": {metric: asdict(figures) for metric, figures in self.metrics.items()},
            "counters": dict(self.counters),
            "peaks": dict(self.peaks),
            "failures": {join_key(what, kind): number for (what, kind), number in self.failures.items()},
            "details": {join_key(what, kind): detail for (what, kind), detail in self.details.items()},
            "closes": {str(code): number for code, number in self.closes.items()},
            "names": dict(self.names),
        }


def summarize(totals: Totals, known: Labels | None = None) -> Summary:
    """The figures of a run, or of a part of it; ``known`` are the labels stored with it."""
    order = tuple((known or labels()).complete().counters)
    failures = dict(sorted(totals.failures.items(), key=lambda item: (-item[1], item[0])))
    return Summary(
        duration_s=round(totals.duration_s, 3),
        metrics={
            metric: _figures(totals.histograms[metric], totals.duration_s)
            for metric in in_order(filter(for_people, totals.histograms))
            if totals.histograms[metric].total
        },
        counters=_listed(
            {name: number for name, number in totals.counters.items() if counted_for_people(name)},
            order,
        ),
        peaks=_listed(totals.peaks, tuple(GAUGES)),
        failures=failures,
        details={failure: totals.details[failure] for failure in failures if failure in totals.details},
        closes=dict(sorted(totals.closes.items())),
        names={name: totals.names[name] for name in in_order(totals.names)},
    )


def _figures(histogram: Histogram, duration_s: float) -> MetricSummary:
    p50, p90, p95, p99, p99_9 = histogram.percentiles(PERCENTILES)
    return MetricSummary(
        count=histogram.total,
        rate=round(histogram.total / duration_s, 3) if duration_s else 0.0,
        min_ns=histogram.min_ns,
        p50_ns=p50,
        p90_ns=p90,
        p95_ns=p95,
        p99_ns=p99,
        p99_9_ns=p99_9,
        max_ns=histogram.max_ns,
        mean_ns=round(histogram.mean_ns),
    )


def _listed(found: Mapping[str, int], order: tuple[str, ...]) -> dict[str, int]:
    """The counters in this order, then the user classes' own; zeros are left out except for the latter."""
    own = found.keys() - set(order)
    return {name: found[name] for name in (*order, *sorted(own)) if found.get(name) or name in own}
