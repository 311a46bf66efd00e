"""OpenTelemetry metrics of a run, in addition to Locust's own, with ``--otel``.

Locust itself listens to ``request`` and records every sample in its histogram ``locust.client.duration``, in
the process that measured it (a worker). The process that owns the run adds what is missing there: users,
connections, counters and the merged percentiles. Without ``--otel`` nothing of this is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wsload.judge.figures.samples import can_be_shown
from wsload.measure.names import GAUGES, OWN, Kind, counted_for_people, counters, for_people, labels, split

if TYPE_CHECKING:
    from wsload.load.run.run import Run

QUANTILES: Final = (50.0, 90.0, 99.0, 99.9)
_UNITS: Final = {"bytes_out": "By", "bytes_in": "By"}


def observe_with_opentelemetry(run_now: Callable[[], Run | None]) -> None:
    """Registers ``wsload.…`` instruments with the meter provider that Locust has set up.

    They report ``run_now()`` whenever the provider's readers ask. Does nothing if OpenTelemetry is not installed;
    Locust has logged that before.
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
        "wsload.counted", observe(_counted), description="Counted by the user classes, by name"
    )
    meter.create_observable_counter(
        "wsload.values", observe(_values), description="Values recorded of each metric, by name and part"
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


def _counted(run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    for name in filter(counted_for_people, run.writer.totals.counters.keys() - set(counters())):
        yield run.writer.totals.counters[name], {"name": name}


def _values(run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    for metric, histogram in run.writer.totals.histograms.items():
        if for_people(metric):
            yield histogram.total, _about(metric, run)


def _latencies(run: Run) -> Iterator[tuple[float, dict[str, Any]]]:
    for metric, histogram in run.writer.totals.histograms.items():
        if not for_people(metric):
            continue
        for quantile, value in zip(QUANTILES, histogram.percentiles(QUANTILES), strict=True):
            if can_be_shown(quantile, histogram.total):
                yield value / 1e9, {**_about(metric, run), "percentile": quantile}


def _about(metric: str, run: Run) -> dict[str, Any]:
    """A metric's attributes; those of a user class's name include the name, its kind and the part."""
    name, part = split(metric)
    if metric in OWN or name in OWN:
        return {"metric": metric}
    kind = run.writer.totals.names.get(name, Kind.VALUE)
    return {"metric": metric, "name": name, "kind": str(kind), "part": part.removeprefix(".") or "time"}
