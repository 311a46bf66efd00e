"""What Prometheus and the readers of JSON lines are told of a run."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import COUNTERS, METRICS, intervals, values
from support.made_runs import TRUSTED, UNTRUSTED
from support.shop import BUY, NAMES, REQUESTS, STEP, VALUE, shop_seconds

from wsload.judge.figures.summary import summarize
from wsload.judge.run.live import LiveView, point
from wsload.judge.run.processes import ProcessFigures
from wsload.judge.run.verdict import Judgement
from wsload.load.run.run import Ended, Run
from wsload.load.watch.observers import JsonProgress
from wsload.load.watch.opentelemetry import observe_with_opentelemetry
from wsload.load.watch.prometheus import BOUNDS_US, RunCollector, cumulative
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import LATE_IN, OWN, PARTS, split
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.trust import Standing, Trust

prometheus_client = pytest.importorskip("prometheus_client")


def run_of(totals: Totals, *, trust: Trust = TRUSTED, **more: Any) -> Any:
    """As much of a `Run` as observers look at."""
    watch = ProcessFigures("worker 1")
    watch.last = 0.25
    return SimpleNamespace(
        writer=SimpleNamespace(
            totals=totals,
            path=Path("results/20260101T000000Z-dev"),
            info=SimpleNamespace(build='b"\n{}', target="ws://127.0.0.1/"),
        ),
        processes=lambda: [watch],
        trust=trust,
        **more,
    )


def ended(
    totals: Totals, *, warnings: tuple[RunWarning, ...] = (), checks: list[CheckOutcome] | None = None
) -> Ended:
    """What such a run came to."""
    judgement = Judgement(trust=TRUSTED, warnings=warnings)
    return Ended(summarize(totals), judgement, checks or [], stored=True)


def exposed(run: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples by name and labels, as Prometheus reads them."""
    from prometheus_client.parser import text_string_to_metric_families

    registry = prometheus_client.CollectorRegistry()
    registry.register(RunCollector(lambda: run))
    text = prometheus_client.generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@given(st.lists(values, max_size=50))
def test_buckets_hold_what_is_not_above_their_bound(recorded: list[int]) -> None:
    found = cumulative(Histogram.of(recorded))
    assert [float(bound) for bound, _ in found[:-1]] == [bound / 1e6 for bound in BOUNDS_US]
    assert found[-1] == ("+Inf", len(recorded))
    for (_, count), bound_us in zip(found, BOUNDS_US, strict=False):
        # A value shares its histogram bucket with others up to 0.1 % (or 512 ns) larger.
        surely = sum(value + max(value / 1000, 512) <= bound_us * 1000 for value in recorded)
        assert surely <= count <= sum(value <= bound_us * 1000 for value in recorded)


@given(st.lists(intervals(), max_size=3))
def test_prometheus_is_told_all_that_was_recorded(recorded: list[Interval]) -> None:
    totals = Totals.of(recorded)
    found = exposed(run_of(totals))
    for metric in METRICS:
        base, suffix = split(metric)
        if metric in OWN:
            name, labels = f"wsload_{metric.replace('.', '_')}_seconds", ()
        elif metric in totals.histograms or suffix in PARTS.get(totals.names.get(base), ()):
            kind = totals.names.get(base, "value")
            name, labels = f"wsload_{kind}{suffix.replace('.', '_')}_seconds", (("name", base),)
        else:
            continue
        histogram = totals.histograms.get(metric, Histogram())
        assert found[f"{name}_count", labels] == histogram.total
        assert found[f"{name}_bucket", (("le", "+Inf"), *labels)] == histogram.total
        assert found[f"{name}_sum", labels] == pytest.approx(histogram.mean_ns * histogram.total / 1e9)
    renamed = {"bytes_out": "sent_bytes", "bytes_in": "received_bytes"}
    times = {name for name in COUNTERS if name.endswith("_ns")}
    for name in set(COUNTERS) - times:
        assert found[f"wsload_{renamed.get(name, name)}_total", ()] == totals.counters[name]
    for name in times:
        seconds = name.replace("_ns", "_seconds")
        assert found[f"wsload_{seconds}_total", ()] == totals.counters[name] / 1e9
    for (what, kind), number in totals.failures.items():
        assert found["wsload_failures_total", (("kind", kind), ("what", what))] == number
    for code, number in totals.closes.items():
        assert found["wsload_closes_total", (("code", str(code)),)] == number


def test_prometheus_is_told_of_the_run_itself() -> None:
    totals = Totals.of([Interval(length_s=1.0, gauges={"users": 5, "in_flight": 2})])
    found = exposed(run_of(totals, trust=UNTRUSTED))
    about = (("build", 'b"\n{}'), ("run", "20260101T000000Z-dev"), ("target", "ws://127.0.0.1/"))
    assert found["wsload_run_info", about] == 1
    assert found["wsload_run_trusted", ()] == 0
    assert found["wsload_users", ()] == 5
    assert found["wsload_messages_in_flight", ()] == 2
    assert found["wsload_connections", ()] == 0
    assert found["wsload_process_cpu_ratio", (("process", "worker 1"),)] == 0.25


@pytest.mark.parametrize("standing", Standing)
def test_prometheus_is_told_of_trust_only_where_there_is_any(standing: Standing) -> None:
    found = exposed(run_of(Totals(), trust=replace(TRUSTED, standing=standing)))
    assert found["wsload_run_trusted", ()] == (standing in (Standing.TRUSTED, Standing.PARTLY))


def test_before_the_first_run_there_is_nothing_to_tell() -> None:
    assert exposed(None) == {}


SECOND = Interval(
    start_s=1.7e9,
    length_s=1.0,
    histograms={"message": Histogram.of([1_000_000])},
    counters={"requests": 2, "lost": 1},
    gauges={"users": 1, "connections": 1, "in_flight": 1},
    failures={("message", "timeout"): 1},
)


def test_json_lines_tell_each_second_once_though_a_part_of_it_comes_too_late() -> None:
    totals, stream = Totals(), io.StringIO()
    run: Any = SimpleNamespace(
        _probe=None,
        _write=lambda interval: interval,
        _watch=lambda _: None,
        _live=LiveView(lambda: totals),
        listeners=[JsonProgress(run_of(totals), stream)],
    )
    for at in (0, 1, 0, 1.03):
        Run.append(run, replace(SECOND, start_s=1.7e9 + at))
    assert [json.loads(line)["at"] for line in stream.getvalue().splitlines()] == [1.7e9 + 1, 1.7e9 + 2]


def test_json_lines_tell_each_second_and_the_end() -> None:
    totals = Totals.of([SECOND])
    warning = RunWarning(name="cpu", text="CPU 99 %", remedy="less", invalidates=True)
    check = CheckOutcome(expression="lost < 1", state=CheckState.FAILED, wanted="< 1", got="1")
    run = run_of(totals, trust=UNTRUSTED, ended=ended(totals, warnings=(warning,), checks=[check]))
    stream = io.StringIO()
    progress = JsonProgress(run, stream)
    progress.second(point(SECOND))
    progress.second(point(Interval(start_s=1.7e9 + 1, length_s=1.0)))
    progress.end()
    first, second, end = map(json.loads, stream.getvalue().splitlines())
    assert first == {
        "schema": 1,
        "event": "second",
        "run": "20260101T000000Z-dev",
        "at": 1.7e9 + 1,
        "users": 1,
        "connections": 1,
        "in_flight": 1,
        "sent_per_s": 2.0,
        "answered_per_s": 1.0,
        "names": {
            "message": {
                "answered_per_s": 1.0,
                **dict.fromkeys(("p50_ms", "p99_ms", "p99_9_ms"), pytest.approx(1.0, rel=1e-3)),
                "lost": 0,
                "failed": 0,
            }
        },
        "echoes_per_s": 1.0,
        "deliveries_per_s": 0.0,
        "message_p50_ms": pytest.approx(1.0, rel=1e-3),
        "message_p99_ms": pytest.approx(1.0, rel=1e-3),
        "message_p99_9_ms": pytest.approx(1.0, rel=1e-3),
        "lost": 1,
        "failures": 1,
    }
    assert second["message_p50_ms"] is None
    assert end == {
        "schema": 1,
        "event": "end",
        "run": "20260101T000000Z-dev",
        "at": 1.7e9 + 1,
        "standing": "not trusted",
        "verdict": "Not trusted: late",
        "results": "results/20260101T000000Z-dev",
        "duration_s": 1.0,
        "names": {
            "message": {
                "kind": "request",
                "answered": 1,
                **dict.fromkeys(("p50_ms", "p99_ms", "p99_9_ms"), pytest.approx(1.0, rel=1e-3)),
                "lost": 0,
                "failed": 0,
            }
        },
        "messages": 1,
        "message_p50_ms": pytest.approx(1.0, rel=1e-3),
        "message_p99_ms": pytest.approx(1.0, rel=1e-3),
        "message_p99_9_ms": pytest.approx(1.0, rel=1e-3),
        "lost": 1,
        "failures": 1,
        "warnings": [{"name": "cpu", "text": "CPU 99 %", "remedy": "less", "invalidates": True}],
        "checks": [check.to_json()],
    }


def test_json_lines_have_every_name() -> None:
    totals = Totals.of(shop_seconds())
    stream = io.StringIO()
    progress = JsonProgress(run_of(totals, ended=ended(totals)), stream)
    for interval in shop_seconds():
        progress.second(point(interval, totals.names))
    progress.end()
    *seconds, end = map(json.loads, stream.getvalue().splitlines())
    assert all(set(second["names"]) == set(NAMES) for second in seconds)
    assert seconds[0]["message_p50_ms"] is None
    assert {name: found["kind"] for name, found in end["names"].items()} == totals.names
    buy = end["names"][BUY]
    assert (buy["answered"], buy["lost"], buy["failed"], buy["p50_ms"]) == (
        800,
        16,
        8,
        pytest.approx(6, rel=1e-3),
    )
    assert (end["messages"], end["message_p50_ms"]) == (0, None)


def test_prometheus_has_every_name_as_a_label() -> None:
    totals = Totals.of(shop_seconds())
    totals.counters[f"{LATE_IN}Shopper.buy"] = 3
    found = exposed(run_of(totals))
    assert not [labels for _, labels in found if ("name", f"{LATE_IN}Shopper.buy") in labels]
    for name in REQUESTS:
        for part in ("", "_service", "_lost", "_failed"):
            metric = name + part.replace("_", ".")
            count = totals.histograms[metric].total if metric in totals.histograms else 0
            assert found[f"wsload_request{part}_seconds_count", (("name", name),)] == count
    assert found["wsload_step_failed_seconds_count", (("name", STEP),)] == 4
    assert found["wsload_value_seconds_count", (("name", VALUE),)] == 200
    assert found["wsload_counted_total", (("name", "books sold"),)] == 40
    assert found["wsload_counted_total", (("name", "gaps in the feed"),)] == 0


def test_opentelemetry_has_every_name_as_an_attribute() -> None:
    pytest.importorskip("opentelemetry.sdk.metrics")
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    totals = Totals.of(shop_seconds())
    totals.counters[f"{LATE_IN}Shopper.buy"] = 3
    run = run_of(totals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "get_meter", MeterProvider([reader]).get_meter)
        observe_with_opentelemetry(lambda: run)
    data = reader.get_metrics_data()
    assert data is not None
    points = {
        metric.name: {
            tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points
        }
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    about = {"metric": f"{BUY}.lost", "name": BUY, "kind": "request", "part": "lost"}
    assert points["wsload.values"][tuple(sorted(about.items()))] == 16
    assert points["wsload.counted"][("name", "books sold"),] == 40
    assert (("name", f"{LATE_IN}Shopper.buy"),) not in points["wsload.counted"]
    latency = {"metric": STEP, "name": STEP, "kind": "step", "part": "time", "percentile": 90.0}
    assert points["wsload.latency"][tuple(sorted(latency.items()))] == pytest.approx(0.04, rel=1e-3)
    # p99 of 40 steps would be their maximum.
    assert tuple(sorted({**latency, "percentile": 99.0}.items())) not in points["wsload.latency"]


class Gone(io.StringIO):
    """Standard output whose reader has left."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = 0

    def flush(self) -> None:
        if not self.closed:
            self.tried += 1
            raise BrokenPipeError


def test_a_reader_that_leaves_does_not_end_the_run() -> None:
    stream = Gone()
    progress = JsonProgress(run_of(Totals()), stream)
    for _ in range(3):
        progress.second(point(SECOND))
    assert stream.tried == 1
    stream.tried = 0
