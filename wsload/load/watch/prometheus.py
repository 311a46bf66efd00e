"""Prometheus metrics of a run: everything recorded so far, at ``/metrics`` of a small server on the hub.

Durations are histograms in seconds with fixed bounds, whose counts come from the HDR histograms: exact except
for values within 0.1 % of a bound. Everything is computed on request. With each new run the figures start at
zero, which Prometheus treats like a restart.
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gevent.pywsgi import WSGIServer

from wsload.errors import UsageError
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.names import (
    FAILED,
    GAUGES,
    LOST,
    OWN,
    PARTS,
    SERVICE,
    Kind,
    counted_for_people,
    counters,
    for_people,
    in_order,
    labels,
    metrics,
    split,
)

if TYPE_CHECKING:
    from wsload.load.run.run import Run

logger = logging.getLogger("wsload")

BOUNDS_US: Final = tuple(
    step * 10**power for power in range(1, 8) for step in (1, 2.5, 5) if step * 10**power <= 5e7
)
"""From 10 µs to 50 s, in 1, 2.5, 5."""
_COUNTER_NAMES: Final = {"bytes_out": "sent_bytes", "bytes_in": "received_bytes"}
_GAUGE_NAMES: Final = {"in_flight": "messages_in_flight"}
_ABOUT: Final = {
    "": "each {}, by its name",
    SERVICE: "each {}, from when it was sent",
    LOST: "age of each {} when it was given up",
    FAILED: "each {} that failed",
}


def serve_prometheus(address: tuple[str, int], run_now: Callable[[], Run | None]) -> str:
    """Serves the figures of ``run_now()`` at (host, port) for as long as the process lives; returns the URL.

    Raises `UsageError` if prometheus_client is not installed, or it can't listen on the address.
    """
    try:
        from prometheus_client import CollectorRegistry, make_wsgi_app
    except ImportError:
        raise UsageError(
            "argument --ws-prometheus: prometheus_client is not installed: pip install 'wsload[prometheus]'"
        ) from None
    registry = CollectorRegistry()
    registry.register(RunCollector(run_now))
    server = WSGIServer(address, make_wsgi_app(registry), log=None, error_log=logger)
    try:
        server.start()
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        in_use = error.errno == errno.EADDRINUSE
        why = "the port is in use: choose another, or 0 for a free one" if in_use else error.strerror
        raise UsageError(f"argument --ws-prometheus: can't listen on {where} ({why})") from None
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{server.server_port}/metrics"


class RunCollector:
    """The collector that `prometheus_client` calls at each scrape."""

    def __init__(self, run_now: Callable[[], Run | None]) -> None:
        self._run_now = run_now

    def collect(self) -> Iterator[Any]:
        """The metric families of the latest run; none before the first."""
        run = self._run_now()
        return _families(run) if run is not None else iter(())


def _families(run: Run) -> Iterator[Any]:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        InfoMetricFamily,
    )

    info, totals = run.writer.info, run.writer.totals
    about = {"run": run.writer.path.name, "build": info.build, "target": info.target}
    yield InfoMetricFamily("wsload_run", "The run that these metrics describe.", value=about)
    trusted = run.trust.standing.trusted
    yield GaugeMetricFamily("wsload_run_trusted", "1 if the figures can be trusted, else 0.", value=trusted)
    for metric in filter(OWN.__contains__, metrics()):
        yield _histograms(metric, labels().meaning(metric), {(): totals.histograms.get(metric)})
    for (named, suffix), found in _named(totals).items():
        yield _histograms(f"{named}{suffix}", _ABOUT[suffix].format(named), found, labels=("name",))
    for name in counters():
        value: float = totals.counters.get(name, 0)
        yield CounterMetricFamily(
            f"wsload_{_COUNTER_NAMES.get(name) or re.sub('_ns$', '_seconds', name)}",
            f"So far: {labels().label(name)}.",
            value=value / 1e9 if name.endswith("_ns") else value,
        )
    counted = CounterMetricFamily("wsload_counted", "Counted by the user classes.", labels=["name"])
    for name in sorted(filter(counted_for_people, totals.counters.keys() - set(counters()))):
        counted.add_metric([name], totals.counters[name])
    yield counted
    for name in GAUGES:
        family = GaugeMetricFamily(
            f"wsload_{_GAUGE_NAMES.get(name, name)}", f"Now: {name.replace('_', ' ')}."
        )
        family.add_metric([], totals.gauges.get(name, 0))
        yield family
    failures = CounterMetricFamily(
        "wsload_failures", "Failures by what was tried and how it failed.", labels=["what", "kind"]
    )
    for (what, kind), number in totals.failures.items():
        failures.add_metric([what, kind], number)
    yield failures
    closes = CounterMetricFamily("wsload_closes", "Connections closed by close code.", labels=["code"])
    for code, number in totals.closes.items():
        closes.add_metric([str(code)], number)
    yield closes
    cpu = GaugeMetricFamily(
        "wsload_process_cpu_ratio", "CPU of each load generator, as a share of one core.", labels=["process"]
    )
    for watch in run.processes():
        cpu.add_metric([watch.name or "this process"], watch.last)
    yield cpu


def _named(totals: Totals) -> dict[tuple[Kind, str], dict[tuple[str, ...], Histogram | None]]:
    """The histograms of requests, steps and values, by kind and suffix, then by their label (the name)."""
    declared = (name + suffix for name, kind in totals.names.items() for suffix in PARTS[kind])
    found: dict[tuple[Kind, str], dict[tuple[str, ...], Histogram | None]] = {}
    for metric in in_order({*declared, *filter(for_people, totals.histograms)} - OWN):
        name, suffix = split(metric)
        kind = totals.names.get(name, Kind.VALUE)
        found.setdefault((kind, suffix), {})[name,] = totals.histograms.get(metric)
    return found


def _histograms(
    name: str, about: str, found: Mapping[tuple[str, ...], Histogram | None], labels: tuple[str, ...] = ()
) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(
        f"wsload_{name.replace('.', '_')}_seconds", f"Time: {about}.", labels=labels
    )
    for values, histogram in found.items():
        shown = histogram or Histogram()
        family.add_metric(values, cumulative(shown), shown.mean_ns * shown.total / 1e9)
    return family


def cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """For each bound its text, in seconds, and how many values are at most that; ends with ``+Inf``."""
    edges_ns, counts = histogram.buckets()
    below = np.concatenate(([0], np.cumsum(counts)))
    places = np.searchsorted(edges_ns, np.array(BOUNDS_US) * 1000, side="right")
    found = zip(BOUNDS_US, below[places].tolist(), strict=True)
    return [*((repr(bound / 1e6), float(count)) for bound, count in found), ("+Inf", float(histogram.total))]
