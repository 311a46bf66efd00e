"""A run as OpenTelemetry metrics, beside Locust's own, when ``--otel`` asks for it.

Locust itself records every sample into its histogram ``locust.client.duration`` (in the process
that measured it: on a worker, by the worker), since to ``request`` it is a listener like any other.
What that can't tell is added here, by the process that owns the run: users, connections, counters
and the merged percentiles. Without Locust's ``--otel`` nothing of this is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wsload.measure.names import GAUGES, counters, labels

if TYPE_CHECKING:
    from wsload.load.run.run import Run

QUANTILES: Final = (50.0, 90.0, 99.0, 99.9)
_UNITS: Final = {"bytes_out": "By", "bytes_in": "By"}


def observe_with_opentelemetry(run_now: Callable[[], Run | None]) -> None:
    """Registers ``wsload.…`` instruments with the meter provider that Locust has set up.

    They report ``run_now()`` whenever the provider's readers ask. Where OpenTelemetry is not installed,
    which Locust has said by then, it does nothing.
    """
    try:
        from opentelemetry import metrics
    except ImportError:
        return
    meter = metrics.get_meter("wsload")

    def observe(read: Callable[[Run], Iterator[tuple[float, dict[str, Any]]]]) -> list[Callable[..., Any]]:
        def callback(_: object) -> list[metrics.Observation]:
            run = run_now()
            return [metrics.Observation(*found) for found in read(run)] if run is not None else []

        return [callback]

    for gauge in GAUGES:
        meter.create_observable_gauge(
            f"wsload.{gauge}",
            observe(partial(_gauge, gauge)),
            description=f"Now: {gauge.replace('_', ' ')}",
        )
    for counter in counters():
        meter.create_observable_counter(
            f"wsload.{counter}",
            observe(partial(_counter, counter)),
            unit=_UNITS.get(counter, "ns" if counter.endswith("_ns") else "1"),
            description=labels().label(counter),
        )
    meter.create_observable_counter(
        "wsload.failures", observe(_failures), description="Failures by what was tried and how it failed"
    )
    meter.create_observable_gauge(
        "wsload.latency", observe(_latencies), unit="s", description="Percentiles of the run so far"
    )


def _gauge(name: str, run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    yield run.writer.totals.gauges.get(name, 0), {}


def _counter(name: str, run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    yield run.writer.totals.counters.get(name, 0), {}


def _failures(run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    for (what, kind), number in run.writer.totals.failures.items():
        yield number, {"what": what, "kind": kind}


def _latencies(run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    for metric, histogram in run.writer.totals.histograms.items():
        for quantile, value in zip(QUANTILES, histogram.percentiles(QUANTILES), strict=True):
            yield value / 1e9, {"metric": metric, "percentile": quantile}
