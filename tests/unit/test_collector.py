"""The master's merging: bucket by bucket the sum of what the workers recorded, however it arrives."""

from __future__ import annotations

import os

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"

from hypothesis import given
from hypothesis import strategies as st
from intervals import intervals

from wsload.load.cluster.collector import Collector
from wsload.load.cluster.wire import from_wire, to_wire
from wsload.measure.histogram import merged
from wsload.measure.interval import Interval, Totals

deliveries = st.lists(st.tuples(st.sampled_from(("one", "two", "three")), intervals()), max_size=12)


@given(deliveries)
def test_merging_adds_up_to_what_the_workers_recorded(delivered: list[tuple[str, Interval]]) -> None:
    handed_on: list[Interval] = []
    collector = Collector(handed_on.append)
    kept: dict[str, list[Interval]] = {}
    for worker, interval in delivered:
        collector.add(worker, interval)
        kept.setdefault(worker, []).append(interval)
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
    for worker, interval in sorted(delivered, key=lambda item: item[1].start_s):
        collector.add(worker, interval)
    collector.finish()
    starts = [int(interval.start_s + 0.02) for interval in handed_on]
    assert starts == sorted(set(starts))


@given(intervals())
def test_the_wire_carries_an_interval_unchanged(interval: Interval) -> None:
    arrived = from_wire(to_wire(interval))
    assert arrived == interval


def test_a_worker_that_never_finished_is_named() -> None:
    collector = Collector(lambda _: None)
    collector.started("one")
    collector.add("two", Interval(start_s=1.7e9, length_s=1.0, counters={"sent": 1}))
    collector.done("two")
    warnings = collector.finish()
    assert [warning.name for warning in warnings] == ["worker-lost"]
    assert "worker one was lost: it never delivered anything" in warnings[0].text


def test_waiting_ends_when_all_are_done_or_gone() -> None:
    collector = Collector(lambda _: None)
    collector.started("done")
    collector.started("gone")
    collector.done("done")
    collector.wait(lambda worker: worker == "gone", timeout_s=30)
    assert not collector.workers["gone"].done
