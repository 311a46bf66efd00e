from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals
from support.made_runs import MS, STARTED_AT, second

from wsload.judge.figures.series import MAX_PIECES, MIN_SLOTS, Level, Series, SeriesBuilder, is_tracked
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals


def series_of(*found: Interval, most_slots: int = 600) -> Series:
    builder = SeriesBuilder(most_slots)
    for interval in found:
        builder.add(interval)
    return builder.series()


runs = st.lists(intervals(st.integers(0, 400).map(lambda eighths: 1.7e9 + eighths / 8)), max_size=40)


@given(runs, st.integers(2, 20))
def test_however_few_the_slots_nothing_is_lost_or_counted_twice(run: list[Interval], most: int) -> None:
    series, totals = series_of(*run, most_slots=most), Totals.of(run)
    assert len(series.at_s) <= most
    assert {name: sum(counts) for name, counts in series.counters.items()} == dict(totals.counters)
    assert {failure: sum(counts) for failure, counts in series.failures.items()} == dict(totals.failures)
    numbers = [sum(counts) for counts in series.failures.values()]
    assert numbers == sorted(numbers, reverse=True)
    values = {metric: sum(track.count) for metric, track in series.tracks.items()}
    assert values == {
        metric: histogram.total for metric, histogram in totals.histograms.items() if is_tracked(metric)
    }
    unanswered = {metric: sum(counts) for metric, counts in series.unanswered.items()}
    assert unanswered == {
        metric: histogram.total
        for metric, histogram in totals.histograms.items()
        if metric.endswith((".lost", ".failed"))
    }
    for metric, track in series.tracks.items():
        highest = max(value for value in track.max_ns if value is not None)
        assert highest == totals.histograms[metric].max_ns
    for metric, heat in series.heat.items():
        assert sum(count for column in heat.cells for _, count in column) == values[metric]


@given(st.lists(st.lists(st.floats(0.1, 900), max_size=30), min_size=1, max_size=40), st.integers(2, 9))
def test_a_slots_percentiles_are_those_of_its_merged_histograms(
    latencies: list[list[float]], most: int
) -> None:
    run = [second(at, values) for at, values in enumerate(latencies)]
    series = series_of(*run, most_slots=most)
    if "message" not in series.tracks:
        assert not any(latencies)
        return
    track = series.tracks["message"]
    width = int(series.width_s)
    for slot, at in enumerate(series.at_s):
        seconds = run[int(at) : int(at) + width]
        histogram = merged(each.histograms["message"] for each in seconds if each.histograms)
        expected = histogram.percentiles((50, 99, 99.9, 100)) if histogram.total else [None] * 4
        assert [track.p50_ns[slot], track.p99_ns[slot], track.p99_9_ns[slot], track.max_ns[slot]] == expected


def test_an_hour_has_slots_of_eight_seconds() -> None:
    series = series_of(*(second(at, [1]) for at in range(3600)))
    assert series.width_s == 8
    assert len(series.at_s) == 450
    assert set(series.tracks["message"].count) == {8}
    assert set(series.covered_s) == {8}


def test_a_shorter_first_interval_has_a_slot_of_its_own() -> None:
    first = Interval(start_s=STARTED_AT + 0.7, length_s=0.3, counters={"sent": 3})
    series = series_of(first, *(second(at, counters={"sent": 10}) for at in range(1, 4)))
    assert series.start_s == STARTED_AT
    assert series.at_s == (0, 1, 2, 3)
    assert series.counters["sent"] == (3, 10, 10, 10)
    assert series.rates(series.counters["sent"]) == pytest.approx((10, 10, 10, 10), rel=1e-6)


def test_a_last_moment_is_too_short_for_a_rate() -> None:
    last = Interval(start_s=STARTED_AT + 1, length_s=0.02, counters={"sent": 3})
    series = series_of(second(0, counters={"sent": 10}), last)
    assert series.rates(series.counters["sent"]) == (10, None)


def test_levels_keep_the_lowest_and_the_highest_of_a_slot() -> None:
    levels = [100, 0, 60, 100, 90, 95]
    series = series_of(
        *(second(at, gauges={"connections": level}) for at, level in enumerate(levels)), most_slots=3
    )
    assert series.width_s == 2
    assert series.levels == {"connections": Level(lowest=(0, 60, 90), highest=(100, 100, 95))}


def test_the_part_of_a_worker_that_came_late_adds_its_counts_and_not_its_levels() -> None:
    on_time = [second(at, [1], gauges={"users": 100}, counters={"sent": 50}) for at in range(6)]
    late = second(2, [9], gauges={"users": 50}, counters={"sent": 25})
    series = series_of(*on_time, late)
    assert series.counters["sent"] == (50, 50, 75, 50, 50, 50)
    assert series.covered_s == (1, 1, 1, 1, 1, 1)
    assert series.levels["users"].lowest == (100,) * 6
    assert series.tracks["message"].max_ns[2] == Histogram.of([9 * MS]).max_ns


def test_slots_without_an_interval_are_absent_and_those_without_values_say_none() -> None:
    series = series_of(second(0, [1]), second(1, counters={"sent": 1}), second(9, [2]))
    assert series.at_s == (0, 1, 9)
    assert series.tracks["message"].p50_ns[1] is None
    assert series.tracks["message"].count == (1, 0, 1)


def test_clocks_that_jump_far_cost_no_more_slots() -> None:
    series = series_of(second(0, [1]), second(10**11, [1]), second(3, [1]))
    assert len(series.at_s) == 3


def test_what_comes_before_the_beginning_finds_its_place() -> None:
    series = series_of(*(second(at, [1]) for at in (3, 0, 1, 2)), most_slots=3)
    assert series.tracks["message"].count == (2, 2)
    assert series.start_s == STARTED_AT


def test_a_run_with_many_names_has_fewer_slots_and_loses_nothing() -> None:
    names = [f"item {number}" for number in range(150)]

    def busy(at: int) -> Interval:
        return second(at, histograms={name: Histogram.of([MS]) for name in names[: 1 + at]})

    series = series_of(*map(busy, range(300)))
    assert MIN_SLOTS <= len(series.at_s) <= MAX_PIECES // len(names)
    assert sum(series.tracks[names[0]].count) == 300
    assert sum(series.tracks[names[149]].count) == 300 - 149


def test_nothing_recorded_is_an_empty_series() -> None:
    assert series_of() == Series()
    assert series_of(Interval()) == Series()
