"""The figures of a run while it goes on."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals
from support.shop import BUY, NAMES, STEP, VALUE, shop_seconds

from wsload.judge.figures.summary import summarize
from wsload.judge.run import live
from wsload.judge.run.live import RECENT_S, LiveView, point
from wsload.judge.run.processes import ProcessFigures
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals

NO_NAME = dict.fromkeys(("rate", "p50", "p99", "p99_9"))
"""Which name stands for the run may change while it goes on."""


def followed(run: list[Interval]) -> LiveView:
    totals = Totals()
    view = LiveView(lambda: totals)
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
    found = point(second(1, 1, 2, 4, requests=10, deliveries_own_host=20, deliveries_foreign=5, lost=1))
    exact = {
        "at": 1.7e9 + 1.5,
        "users": 3,
        "connections": 2,
        "in_flight": 1,
        "sent": 20.0,
        "answered": 6.0,
        "rate": 6.0,
        "deliveries": 50.0,
        "lost": 1,
        "failures": 3,
    }
    plain = found.plain("message")
    assert {name: plain[name] for name in exact} == exact
    assert [round(plain[name] or 0, 2) for name in ("p50", "p99", "p99_9")] == [2.0, 4.0, 4.0]


def test_a_point_has_every_name_and_adds_up_the_requests() -> None:
    (first, *_) = shop_seconds()
    found = point(first, first.names)
    assert set(found.names) == set(NAMES)
    assert found.answered == 200 + 3 * 5
    buy = found.names[BUY]
    assert (buy.answered, buy.lost, buy.failed) == (200.0, 4, 2)
    assert found.names[STEP].failed == 1
    assert found.plain(VALUE)["rate"] == 50.0
    assert found.plain("never heard of")["p50"] is found.plain(None)["p50"] is None


def test_an_interval_without_messages_has_no_percentiles() -> None:
    found = point(second(1)).plain("message")
    assert (found["p50"], found["p99"], found["p99_9"], found["rate"]) == (None, None, None, 0)


@given(st.lists(intervals(), max_size=8), st.data())
def test_who_asks_for_what_is_new_gets_every_point_once(run: list[Interval], data: st.DataObject) -> None:
    totals = Totals()
    view = LiveView(lambda: totals)
    got: list[dict[str, float | None]] = []
    expected: list[dict[str, float | None]] = []
    taken, latest = 0, -1
    for interval in run:
        totals.add(interval)
        view.add(interval)
        if interval.second > latest:  # else one worker's part, too late for its second
            latest = interval.second
            expected.append({**point(interval, totals.names).plain(None), **NO_NAME})
        if data.draw(st.booleans(), label="asks now"):
            found = view.snapshot(taken, [])
            got += found["points"]
            taken = found["taken"]
    got += view.snapshot(taken, [])["points"]
    assert [{**found, **NO_NAME} for found in got] == expected


def test_what_comes_too_late_for_its_second_has_no_point_but_is_in_the_figures() -> None:
    totals = Totals()
    view = LiveView(lambda: totals)
    whole = [second(at, 1, lost=1) for at in range(3)]
    late = [replace(second(at, 1, lost=1), gauges={"users": 1}) for at in (0, 2)]
    points = []
    for interval in (*whole, *late):
        totals.add(interval)
        points.append(view.add(interval))
        found = view.snapshot(0, [])
        assert found["counters"]["lost"] == totals.counters["lost"]
        assert found["metrics"]["message"]["count"] == totals.histograms["message"].total
    assert points == [*map(point, whole), None, None]
    assert [each["users"] for each in found["points"]] == [3, 3, 3]
    assert found["taken"] == 3 and found["counters"]["lost"] == 5
    assert view.add(second(3, 1)) is not None
    assert [each["at"] for each in view.snapshot(3, [])["points"]] == [1.7e9 + 3.5]


def test_of_a_long_run_the_latest_points_are_kept() -> None:
    run = [second(at) for at in range(live.MAX_POINTS + 3)]
    found = followed(run).snapshot(0, [])
    assert len(found["points"]) == live.MAX_POINTS
    assert found["points"][0] == point(run[3]).plain(None)
    assert found["taken"] == live.MAX_POINTS + 3
    assert followed(run).snapshot(live.MAX_POINTS + 2, [])["points"] == [point(run[-1]).plain(None)]


def test_a_run_of_many_names_keeps_fewer_points_and_counts_them_all() -> None:
    histograms = {f"item {number}": Histogram.of([1_000_000]) for number in range(200)}
    run = [replace(second(at), histograms=histograms) for at in range(600)]
    view = followed(run)
    found = view.snapshot(0, [], "item 7")
    assert len(found["points"]) == live.MAX_NAMED // 200
    assert found["taken"] == 600
    assert {each["rate"] for each in found["points"]} == {2.0}


def test_one_name_is_looked_at_and_the_one_that_stands_for_the_run_by_default() -> None:
    view = followed(list(shop_seconds()))
    first = view.snapshot(0, [])
    assert (first["name"], first["points"][0]["rate"]) == (BUY, 200.0)
    assert first["names"] == Totals.of(shop_seconds()).names
    other = view.snapshot(0, [], STEP)
    assert (other["name"], other["points"][0]["rate"]) == (STEP, 10.0)
    assert round(other["curves"]["whole run"]["ms"][-1]) == 40
    assert view.snapshot(0, [], "never heard of")["name"] == BUY


@given(st.lists(intervals(), max_size=4), st.integers(0, 9))
def test_figures_are_those_of_the_summary_and_plain_json(run: list[Interval], since: int) -> None:
    watch = ProcessFigures("worker 1")
    for interval in run:
        watch.add(interval)
    found = followed(run).snapshot(since, [watch])
    summary = summarize(Totals.of(run))
    assert list(found["metrics"]) == list(summary.metrics)
    for name, figures in summary.metrics.items():
        assert found["metrics"][name]["count"] == figures.count
        p99 = figures.p99_ns / 1e6 if figures.count >= 100 else None
        assert found["metrics"][name]["p99"] == p99
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
    view = LiveView(lambda: totals)
    assert view.snapshot(0, [])["metrics"] == {}
    totals.add(second(1, 1))
    assert view.snapshot(0, [])["metrics"] == {}
    view.add(second(1, 1))
    assert view.snapshot(0, [])["metrics"]["message"]["count"] == 1


def test_a_process_without_due_times_is_late_by_its_loop() -> None:
    lagging, sending = ProcessFigures("a"), ProcessFigures("")
    lagging.add(Interval(length_s=1.0, histograms={"loop_lag": Histogram.of([5_000_000] * 100)}))
    lags = {"loop_lag": Histogram.of([5_000_000] * 100), "send_lag": Histogram.of([1_000_000] * 100)}
    sending.add(Interval(length_s=1.0, histograms=lags, counters={"cpu_ns": 500_000_000}))
    first, other = LiveView(Totals).snapshot(0, [lagging, sending])["processes"]
    assert (first["name"], round(first["lag_p99"])) == ("a", 5)
    assert (other["name"], round(other["lag_p99"]), other["cpu"]) == ("this process", 1, 0.5)


def test_without_a_page_only_the_last_seconds_are_kept() -> None:
    totals = Totals()
    views = [LiveView(lambda: totals, charted=charted) for charted in (True, False)]
    for at in range(200):
        for view in views:
            view.add(Interval(start_s=float(at), length_s=1.0))
    kept = [len(view.snapshot(0, [])["points"]) for view in views]
    assert kept == [200, RECENT_S]
    assert [view.snapshot(0, [])["taken"] for view in views] == [200, 200]
