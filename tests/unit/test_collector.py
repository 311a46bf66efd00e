"""The master's merging: bucket by bucket the sum of what the workers recorded, however it arrives."""

from __future__ import annotations

import os
import time
import zlib
from collections import Counter
from typing import Any

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"

import gevent
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals
from locust.rpc.protocol import Message

from wsload.load.cluster.collector import Collector
from wsload.load.cluster.wire import from_wire, to_wire, warning_to_wire
from wsload.load.run.steady import SteadyClock
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import Kind
from wsload.measure.recorder import Recorder
from wsload.results.run import RunWarning

deliveries = st.lists(st.tuples(st.sampled_from(("one", "two", "three")), intervals()), max_size=12)


def add(
    collector: Collector, worker: str, number: int, interval: Interval, *, latency_s: float = 0.01
) -> None:
    """Has an interval arrive shortly after its end, by a clock that agrees with the worker's."""
    collector.add(worker, number, interval, now_s=interval.start_s + interval.length_s + latency_s)


@given(deliveries)
def test_merging_adds_up_to_what_the_workers_recorded(delivered: list[tuple[str, Interval]]) -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    kept: dict[str, list[Interval]] = {}
    for worker, interval in delivered:
        kept.setdefault(worker, []).append(interval)
        add(collector, worker, len(kept[worker]), interval)
    collector.finish()
    everything = [interval for of_worker in kept.values() for interval in of_worker]
    total = Totals.of(handed_on)
    for metric in {metric for interval in everything for metric in interval.histograms}:
        recorded = [each.histograms[metric] for each in everything if metric in each.histograms]
        assert total.histograms[metric] == merged(recorded)
    assert total.counters == Totals.of(everything).counters
    assert total.failures == Totals.of(everything).failures
    assert total.closes == Totals.of(everything).closes
    for worker, log in collector.workers.items():
        assert log.totals.counters == Totals.of(kept[worker]).counters


@given(deliveries)
def test_seconds_are_handed_on_in_order_but_for_those_that_came_too_late(
    delivered: list[tuple[str, Interval]],
) -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    numbers: Counter[str] = Counter()
    for worker, interval in sorted(delivered, key=lambda item: item[1].start_s):
        numbers[worker] += 1
        add(collector, worker, numbers[worker], interval)
    collector.finish()
    starts = [int(interval.start_s + 0.02) for interval in handed_on]
    assert starts == sorted(set(starts))


@given(intervals())
def test_the_wire_carries_an_interval_unchanged(interval: Interval) -> None:
    arrived = from_wire(to_wire(interval))
    assert arrived == interval


def sent(data: object) -> Any:
    """What arrives of a message that Locust sends."""
    return Message.unserialize(Message("wsload", data, "worker").serialize()).data


TORN = "torn \ud83d"
"""With half of a character, as it may come out of JSON."""


def test_whatever_text_user_classes_and_servers_give_can_be_sent() -> None:
    recorder = Recorder()
    for kind in Kind:
        recorder.values[recorder.declare(f"{TORN} {kind}", kind).name].append(1_000)
    recorder.add(recorder.counter(TORN))
    for what in ("open", TORN, f"feed {TORN}"):
        for _ in range(2):
            recorder.failed(what, TORN, detail=TORN)
    recorder.failed("open", "torn ?")
    interval = recorder.freeze(start_s=1.7e9, length_s=1.0, gauges={"users": 1}).interval()
    assert from_wire(sent(to_wire(interval))) == interval
    assert interval.failures == {("open", "torn ?"): 3, ("torn ?", "torn ?"): 2, ("feed torn ?", "torn ?"): 2}


def test_a_warning_can_be_sent_whatever_a_user_class_has_said_in_it() -> None:
    warning = RunWarning(name="worker-refused", text=TORN, remedy=TORN, invalidates=True)
    arrived = RunWarning(**sent(warning_to_wire(warning)))
    assert arrived == RunWarning(name="worker-refused", text="torn ?", remedy="torn ?", invalidates=True)


def packed(*numbers: int) -> bytes:
    return zlib.compress(np.array(numbers, dtype="<i8").tobytes())


@pytest.mark.parametrize(
    ("part", "damaged"),
    [
        ("sizes", b"not compressed"),
        ("sizes", packed(1, 1)[:-3]),
        ("sizes", packed(1, 2)),
        ("sizes", packed(2, 0)),
        ("sizes", packed(-1, 3)),
        ("sizes", packed(2)),
        ("places", packed(1)),
        ("places", packed(-1, 1)),
        ("places", packed(1, 10**6)),
        ("counts", packed(1, 0)),
        ("counts", packed(1, -5)),
        ("metrics", ["one"]),
    ],
)
def test_an_interval_that_is_damaged_on_the_way_is_refused(part: str, damaged: object) -> None:
    wire = to_wire(
        Interval(length_s=1.0, histograms={name: Histogram.of([1_000]) for name in ("one", "two")})
    )
    assert from_wire(wire).histograms.keys() == {"one", "two"}
    with pytest.raises(ValueError, match=r"."):
        from_wire(wire | {part: damaged})


def test_places_that_do_not_rise_are_refused() -> None:
    wire = to_wire(Interval(length_s=1.0, histograms={"one": Histogram.of([1_000, 9_000_000])}))
    with pytest.raises(ValueError, match="no bucket"):
        from_wire(wire | {"places": packed(7, 7)})


def test_a_worker_that_never_finished_is_named() -> None:
    collector = Collector(lambda _: None)
    collector.started("one", 1.7e9, now_s=1.7e9)
    add(collector, "two", 1, Interval(start_s=1.7e9, length_s=1.0, counters={"sent": 1}))
    collector.done("two", 1)
    warnings = collector.finish()
    assert [warning.name for warning in warnings] == ["worker-lost"]
    assert "worker one was lost: it never sent any figures" in warnings[0].text


def test_waiting_ends_when_all_are_done_or_gone() -> None:
    collector = Collector(lambda _: None)
    collector.started("done", 1.7e9, now_s=1.7e9)
    collector.started("gone", 1.7e9, now_s=1.7e9)
    collector.done("done", 0)
    collector.wait(lambda worker: worker == "gone", timeout_s=30)
    assert not collector.workers["gone"].done


# Workers that never begin


BEGAN_S = 1.7e9


def expecting(*workers: str) -> Collector:
    """A run's collector; these workers were ordered to take part."""
    collector = Collector(lambda _: None)
    for worker in workers:
        collector.expect(worker, now_s=BEGAN_S)
    return collector


def takes_part(collector: Collector, worker: str) -> None:
    """The worker begins and ends in order."""
    collector.started(worker, BEGAN_S, now_s=BEGAN_S)
    add(collector, worker, 1, Interval(start_s=BEGAN_S, length_s=1.0, counters={"sent": 1}))
    collector.done(worker, 1)


def test_a_worker_that_was_ordered_and_never_began_is_named_and_not_waited_for() -> None:
    collector = expecting("one", "two")
    takes_part(collector, "two")
    collector.ending(now_s=BEGAN_S + 10)
    began_s = time.monotonic()
    collector.wait(lambda _: False, timeout_s=30)
    assert time.monotonic() - began_s < 15
    (warning,) = collector.finish()
    assert warning.name == "worker-lost" and warning.invalidates
    assert "worker one was lost: it was ordered to take part and had not begun by the end" in warning.text


def test_a_worker_that_begins_only_when_the_run_ends_is_named_all_the_same() -> None:
    """Such as one whose listener of test_start took longer than the run."""
    collector = expecting("one", "two")
    takes_part(collector, "two")
    collector.ending(now_s=BEGAN_S + 10)
    takes_part(collector, "one")
    assert [warning.name for warning in collector.finish()] == ["worker-lost"]


def test_a_worker_that_had_no_time_to_begin_is_waited_for() -> None:
    collector = expecting("one", "two")
    takes_part(collector, "two")
    collector.ending(now_s=BEGAN_S + 1)
    gevent.spawn_later(0.3, takes_part, collector, "one")
    collector.wait(lambda _: False, timeout_s=30)
    assert collector.workers["one"].done
    assert collector.finish() == []


def test_a_worker_that_had_no_time_to_begin_and_is_gone_is_named() -> None:
    collector = expecting("one", "two")
    takes_part(collector, "two")
    collector.ending(now_s=BEGAN_S + 1)
    collector.wait(lambda worker: worker == "one", timeout_s=30)
    (warning,) = collector.finish()
    assert "worker one was lost: it never sent any figures" in warning.text


def test_a_run_that_ends_before_its_first_user_misses_no_worker() -> None:
    """A signal while the listeners of test_start are at work: nobody was told to begin."""
    collector = expecting("one", "two")
    collector.ending(now_s=BEGAN_S + 1)
    collector.wait(lambda _: False, timeout_s=30)
    assert collector.finish() == [] and not collector.workers


def test_a_run_in_which_no_worker_began_names_them_all() -> None:
    collector = expecting("one", "two")
    collector.ending(now_s=BEGAN_S + 10)
    collector.wait(lambda _: False, timeout_s=30)
    named = [warning.text.partition(" was")[0] for warning in collector.finish()]
    assert named == ["worker one", "worker two"]


def test_workers_that_take_part_are_not_missed_nor_is_one_that_refuses_or_joins_late() -> None:
    collector = expecting("one", "refuses")
    takes_part(collector, "one")
    takes_part(collector, "late")
    collector.done("refuses", 0)
    collector.ending(now_s=BEGAN_S + 10)
    assert collector.finish() == []


def test_a_worker_whose_clock_was_set_counts_once_in_its_second() -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    spans = {"one": ((0.0, 0.4, 100), (0.4, 0.6, 90)), "two": ((0.0, 1.0, 50),)}
    for worker, parts in spans.items():
        for number, (start_s, length_s, users) in enumerate(parts, 1):
            interval = Interval(
                start_s=BEGAN_S + start_s, length_s=length_s, gauges={"users": users}, counters={"sent": 1}
            )
            add(collector, worker, number, interval)
        collector.done(worker, len(parts))
    assert collector.finish() == []
    (second,) = handed_on
    assert (second.gauges, second.counters) == ({"users": 140}, {"sent": 3})


SECONDS = 10
START_S = 1_700_000_000


@given(
    st.lists(st.floats(-3600, 3600), min_size=1, max_size=4),
    st.lists(st.floats(0.001, 0.7), min_size=SECONDS * 4, max_size=SECONDS * 4),
)
def test_whatever_the_workers_clocks_say_a_run_is_as_long_as_it_was(
    ahead_s: list[float], latencies_s: list[float]
) -> None:
    """Each worker records ten seconds of its own clock, with ten users; all at the same time."""
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    for worker, ahead in enumerate(ahead_s):
        collector.started(str(worker), START_S + ahead, now_s=START_S + 0.001)
    for number in range(SECONDS):
        for worker, ahead in enumerate(ahead_s):
            # A worker's intervals begin with the seconds of its own clock.
            start_s = float(int(START_S + ahead)) + number
            interval = Interval(start_s=start_s, length_s=1.0, gauges={"users": 10}, counters={"sent": 7})
            arrival_s = start_s - ahead + 1.0 + latencies_s[number * 4 + worker]
            collector.add(str(worker), number + 1, interval, now_s=arrival_s)
    for worker in range(len(ahead_s)):
        collector.done(str(worker), SECONDS)
    warnings = collector.finish()
    totals = Totals.of(handed_on)
    assert SECONDS <= totals.duration_s <= SECONDS + 2
    assert totals.counters["sent"] == 7 * SECONDS * len(ahead_s)
    assert START_S - 2.5 <= totals.start_s <= START_S + 2.5
    named = {warning.text.split()[4] for warning in warnings if warning.name == "clock-skew"}
    assert {str(worker) for worker, ahead in enumerate(ahead_s) if abs(ahead) > 2} <= named
    assert not {str(worker) for worker, ahead in enumerate(ahead_s) if abs(ahead) < 0.5} & named


def test_clocks_that_agree_but_for_the_way_of_a_message_are_left_alone() -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    collector.started("one", START_S + 0.3, now_s=START_S + 0.95)
    add(
        collector, "one", 1, Interval(start_s=START_S + 0.4, length_s=0.6, gauges={"users": 1}), latency_s=0.7
    )
    collector.done("one", 1)
    assert collector.finish() == []
    assert handed_on[0].start_s == START_S + 0.4


def test_intervals_that_never_arrived_are_counted_and_named() -> None:
    collector = Collector(lambda _: None)
    for number in (1, 2, 5):
        add(collector, "one", number, Interval(start_s=START_S + number, length_s=1.0, counters={"sent": 1}))
    collector.done("one", 7)
    (warning,) = collector.finish()
    assert warning.name == "intervals-missing" and warning.invalidates
    assert "4 intervals of worker one never arrived" in warning.text


def test_an_interval_that_comes_twice_counts_once() -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    for _ in range(2):
        add(collector, "one", 1, Interval(start_s=START_S, length_s=1.0, counters={"sent": 1}))
    collector.done("one", 1)
    assert collector.finish() == []
    assert Totals.of(handed_on).counters["sent"] == 1


def test_what_a_worker_noticed_is_named_after_it() -> None:
    collector = Collector(lambda _: None)
    collector.done("one", 0, [RunWarning(name="blocked", text="Guest.ask blocked all users")])
    (warning,) = collector.finish()
    assert (warning.name, warning.text) == ("blocked", "worker one: Guest.ask blocked all users")


def shop(start_s: float, answered: int) -> Interval:
    """A second in which a request named otherwise was answered, and a value recorded."""
    names = {"buy": Kind.REQUEST, "price": Kind.VALUE} if start_s == START_S else {}
    histograms = {"buy": Histogram.of([1_000_000] * answered), "price": Histogram.of([5] * 1_000)}
    return Interval(start_s=start_s, length_s=1.0, histograms=histograms, names=names)


START_S = 1.7e9


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 8))
def test_what_each_worker_answered_is_what_all_did_in_the_window(answered: list[int], warm_up: int) -> None:
    """One worker is two seconds ahead of what is emitted, whose first second in the window starts them anew."""
    totals = Totals()

    def emitted(interval: Interval) -> None:
        nonlocal totals
        if interval.start_s == START_S + warm_up:
            totals = Totals()
            for log in collector.workers.values():
                log.reset()
        totals.add(interval)

    collector = Collector(emitted)
    for now in range(len(answered) + 2):
        for worker, at in (("ahead", now), ("behind", now - 2)):
            if 0 <= at < len(answered):
                add(collector, worker, at + 1, shop(START_S + at, answered[at]))
    collector.finish()
    assert sum(log.answered for log in collector.workers.values()) == totals.histograms["buy"].total


# A worker's shift is decided once


def placed(
    latencies_s: list[float], *, ahead_s: float = 0.0, told_late_s: float | None = None
) -> tuple[list[float], list[RunWarning]]:
    """Where the seconds of a worker are put that arrive so late each, and the warnings."""
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    if told_late_s is not None:
        collector.started("one", START_S + ahead_s, now_s=START_S + told_late_s)
    for number, latency_s in enumerate(latencies_s):
        interval = Interval(start_s=START_S + ahead_s + number, length_s=1.0, gauges={"users": 10})
        collector.add("one", number + 1, interval, now_s=START_S + number + 1 + latency_s)
    collector.done("one", len(latencies_s))
    warnings = collector.finish()
    assert len(handed_on) == len(latencies_s), "two seconds became one"
    return [each.start_s - START_S for each in handed_on], warnings


@pytest.mark.parametrize("late", range(6))
@pytest.mark.parametrize("ahead_s", [0.0, 30.0, -30.0])
def test_one_late_message_moves_no_second(late: int, ahead_s: float) -> None:
    """Not even the first, nor the first two."""
    latencies_s = [0.01] * 6
    latencies_s[late] = 1.9
    assert placed(latencies_s, ahead_s=ahead_s)[0] == [0, 1, 2, 3, 4, 5]
    assert placed([2.5, *latencies_s[1:]], ahead_s=ahead_s, told_late_s=2.5)[0] == [0, 1, 2, 3, 4, 5]


@given(st.lists(st.floats(0.001, 5.0), min_size=8, max_size=8), st.floats(-3600, 3600))
def test_a_worker_s_seconds_stay_apart_however_late_they_come(
    latencies_s: list[float], ahead_s: float
) -> None:
    starts, _ = placed(latencies_s, ahead_s=float(round(ahead_s)), told_late_s=latencies_s[0])
    assert [start - starts[0] for start in starts] == list(range(8))


def test_a_worker_whose_first_messages_were_all_late_is_named() -> None:
    starts, (warning,) = placed([2.0, 2.0, 2.0, 0.01, 0.01], told_late_s=2.0)
    assert starts == [2, 3, 4, 5, 6]
    assert warning.name == "clock-skew"
    assert "the first messages of worker one came late, so its figures are 2.0 s later than" in warning.text


def test_a_clock_that_is_ahead_is_named_though_the_first_message_hid_it() -> None:
    starts, (warning,) = placed([0.9, 0.01, 0.01, 0.01], ahead_s=1.5)
    assert starts == [1.5, 2.5, 3.5, 4.5]
    assert "1.5 s later than" in warning.text


def test_a_clock_that_differs_is_named_and_its_seconds_are_moved() -> None:
    starts, (warning,) = placed([0.01] * 4, ahead_s=-30.0)
    assert starts == [0, 1, 2, 3]
    assert "30.0 s behind the master's; its intervals were shifted to the master's clock" in warning.text


def test_of_a_worker_whose_clock_differs_nothing_comes_too_late_for_its_second() -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    for number in range(8):
        for worker, ahead_s in (("same", 0.0), ("ahead", 40.0)):
            interval = Interval(start_s=START_S + ahead_s + number, length_s=1.0, gauges={"users": 10})
            collector.add(worker, number + 1, interval, now_s=START_S + number + 1.01)
    collector.finish()
    assert [(each.start_s - START_S, each.gauges["users"]) for each in handed_on] == [
        (second, 20) for second in range(8)
    ]


def test_the_clock_of_a_run_does_not_jump_with_the_machine_s() -> None:
    wall_s, monotonic_s = 1.7e9, 500.0
    clock = SteadyClock(lambda: wall_s, lambda: monotonic_s)
    assert clock.now() == 1.7e9
    wall_s, monotonic_s = wall_s - 3600, monotonic_s + 2
    assert clock.now() == 1.7e9 + 2
