"""The figures of a run while it goes on."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals

from wsload.judge.figures.summary import summarize
from wsload.judge.run import live
from wsload.judge.run.live import LiveView, point
from wsload.judge.run.watch import Watch
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals


def followed(run: list[Interval]) -> LiveView:
    totals = Totals()
    view = LiveView(totals)
    for interval in run:
        totals.add(interval)
        view.add(interval)
    return view


def second(at: int, *message_ms: int, **counters: int) -> Interval:
    return Interval(
        start_s=1.7e9 + at,
        length_s=0.5,
        histograms={"message": Histogram.of([ms * 1_000_000 for ms in message_ms])} if message_ms else {},
        counters=counters,
        gauges={"users": 3, "connections": 2, "in_flight": 1},
        failures={("open", "refused"): 2, ("message", "timeout"): 1},
    )


def test_a_point_says_what_happened_in_its_interval() -> None:
    found = point(second(1, 1, 2, 4, sent=10, deliveries_own_host=20, deliveries_foreign=5, lost=1))
    exact = {
        "at": 1.7e9 + 1.5,
        "users": 3,
        "connections": 2,
        "in_flight": 1,
        "sent": 20.0,
        "echoes": 6.0,
        "deliveries": 50.0,
        "lost": 1,
        "failures": 3,
    }
    assert {name: found[name] for name in exact} == exact
    assert [round(found[name] or 0, 2) for name in ("p50", "p99", "p99_9")] == [2.0, 4.0, 4.0]


def test_an_interval_without_messages_has_no_percentiles() -> None:
    found = point(second(1))
    assert (found["p50"], found["p99"], found["p99_9"], found["echoes"]) == (None, None, None, 0)


@given(st.lists(intervals(), max_size=8), st.data())
def test_who_asks_for_what_is_new_gets_every_point_once(run: list[Interval], data: st.DataObject) -> None:
    totals = Totals()
    view = LiveView(totals)
    got: list[live.Point] = []
    taken = 0
    for interval in run:
        totals.add(interval)
        view.add(interval)
        if data.draw(st.booleans(), label="asks now"):
            found = view.snapshot(taken, [])
            got += found["points"]
            taken = found["taken"]
    got += view.snapshot(taken, [])["points"]
    assert got == [point(interval) for interval in run]


def test_of_a_long_run_the_latest_points_are_kept() -> None:
    run = [second(at) for at in range(live.MOST_POINTS + 3)]
    found = followed(run).snapshot(0, [])
    assert len(found["points"]) == live.MOST_POINTS
    assert found["points"][0] == point(run[3])
    assert found["taken"] == live.MOST_POINTS + 3
    assert followed(run).snapshot(live.MOST_POINTS + 2, [])["points"] == [point(run[-1])]


@given(st.lists(intervals(), max_size=4), st.integers(0, 9))
def test_figures_are_those_of_the_summary_and_plain_json(run: list[Interval], since: int) -> None:
    watch = Watch("worker 1")
    for interval in run:
        watch.add(interval)
    found = followed(run).snapshot(since, [watch])
    summary = summarize(Totals.of(run))
    assert list(found["metrics"]) == list(summary.metrics)
    for name, figures in summary.metrics.items():
        assert found["metrics"][name]["count"] == figures.count
        assert found["metrics"][name]["p99"] == figures.p99_ns / 1e6
    assert found["counters"] == summary.counters
    assert sum(number for _, _, number in found["failures"]) == sum(summary.failures.values())
    assert [process["name"] for process in found["processes"]] == ["worker 1"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_recent_curve_forgets_what_is_longer_ago() -> None:
    slow = [second(0, 1000)]
    view = followed(slow + [second(at, 1) for at in range(1, live.RECENT_S + 1)])
    curves = view.snapshot(0, [])["curves"]
    assert round(curves["whole run"]["ms"][-1]) == 1000
    assert round(curves["last 10 s"]["ms"][-1]) == 1


def test_figures_are_made_anew_only_after_the_next_interval() -> None:
    totals = Totals()
    view = LiveView(totals)
    assert view.snapshot(0, [])["metrics"] == {}
    totals.add(second(1, 1))
    assert view.snapshot(0, [])["metrics"] == {}
    view.add(second(1, 1))
    assert view.snapshot(0, [])["metrics"]["message"]["count"] == 1


def test_a_process_without_due_times_is_late_by_its_loop() -> None:
    lagging, sending = Watch("a"), Watch("")
    lagging.add(Interval(length_s=1.0, histograms={"loop_lag": Histogram.of([5_000_000])}))
    lags = {"loop_lag": Histogram.of([5_000_000]), "send_lag": Histogram.of([1_000_000])}
    sending.add(Interval(length_s=1.0, histograms=lags, counters={"cpu_ns": 500_000_000}))
    first, other = LiveView(Totals()).snapshot(0, [lagging, sending])["processes"]
    assert (first["name"], round(first["lag_p99"])) == ("a", 5)
    assert (other["name"], round(other["lag_p99"]), other["cpu"]) == ("this process", 1, 0.5)
