from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import intervals
from support.made_runs import TRUSTED

from wsload.judge.figures.summary import Summary, summarize
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import LATE_IN, Kind
from wsload.results.reader import open_run
from wsload.results.writer import RunWriter

MS = 1_000_000
odd_times = st.floats(1.7e9, 1.7e9 + 50)


@settings(max_examples=30)
@given(st.lists(intervals(odd_times), max_size=4))
def test_the_stored_directory_gives_the_summary_that_the_run_itself_gave(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Interval]
) -> None:
    writer = RunWriter.create(
        tmp_path_factory.mktemp("results"), build="v1", target="", options={}, started_at=1.7e9
    )
    for part in parts:
        writer.append(part)
    live = summarize(writer.totals)
    writer.finish(live.to_json(), ended_at=1.7e9 + 60, trust=TRUSTED)
    run = open_run(writer.path)
    assert summarize(run.totals()) == live
    assert run.summary() == json.loads(json.dumps(live.to_json()))


def test_the_figures_of_a_known_run() -> None:
    totals = Totals.of(
        Interval(
            start_s=second,
            length_s=1.0,
            histograms={
                "message": Histogram.of([number * MS for number in range(1, 501)]),
                "open": Histogram(),
                "ping": Histogram.of([2 * MS]),
            },
            counters={"lost": 0, "sent": 500, "zebra": 1},
            gauges={"in_flight": 0, "users": 7},
            failures={("open", "refused"): 1, ("message", "timeout"): 2},
            details={("open", "refused"): "Connection refused"},
            closes={4000: 1, 1006: 2},
            names={"message": Kind.REQUEST},
        )
        for second in (10.0, 11.0)
    )
    found = summarize(totals).to_json()
    message = found["metrics"]["message"]  # type: ignore[index]
    within = {"rel": 0.001}
    assert message["count"] == 1000
    assert message["rate"] == 500.0
    for name, value in (("p50", 250), ("p90", 450), ("p95", 475), ("p99", 495), ("p99_9", 500), ("max", 500)):
        assert message[f"{name}_ns"] == pytest.approx(value * MS, **within)
        assert isinstance(message[f"{name}_ns"], int)
    assert message["min_ns"] == pytest.approx(MS, **within)
    assert message["mean_ns"] == pytest.approx(250.5 * MS, **within)
    assert list(found["metrics"]) == ["message", "ping"]  # type: ignore[call-overload]
    del found["metrics"]
    assert found == {
        "schema": 2,
        "duration_s": 2.0,
        "counters": {"sent": 1000, "zebra": 2},
        "peaks": {"users": 7},
        "failures": {"message: timeout": 4, "open: refused": 2},
        "details": {"open: refused": "Connection refused"},
        "closes": {"1006": 4, "4000": 2},
        "names": {"message": "request"},
    }
    assert list(found["failures"]) == ["message: timeout", "open: refused"]  # type: ignore[call-overload]


def test_a_run_that_recorded_nothing_has_a_summary_too() -> None:
    assert summarize(Totals()) == Summary()
    assert summarize(Totals()).to_json() == {
        "schema": 2,
        "duration_s": 0.0,
        "metrics": {},
        "counters": {},
        "peaks": {},
        "failures": {},
        "details": {},
        "closes": {},
        "names": {},
    }


def test_where_the_loop_was_when_it_was_late_is_for_the_verdict_only() -> None:
    totals = Totals.of([Interval(length_s=1.0, counters={f"{LATE_IN}User.task": 3, "books sold": 2})])
    assert summarize(totals).counters == {"books sold": 2}


def test_values_without_any_time_have_no_rate() -> None:
    totals = Totals.of([Interval(histograms={"open": Histogram.of([MS])})])
    assert summarize(totals).metrics["open"].rate == 0.0
