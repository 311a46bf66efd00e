from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from intervals import METRICS, intervals

from wsload.measure.histogram import Histogram
from wsload.measure.interval import MOST, Interval, Totals, added, merge, named
from wsload.measure.names import Kind, in_order


@given(intervals(), intervals(), intervals())
def test_merging_is_associative_and_commutative(a: Interval, b: Interval, c: Interval) -> None:
    assert merge([a, merge([b, c])]) == merge([merge([a, b]), c]) == merge([a, b, c])
    assert merge([a, b]) == merge([b, a])


@given(intervals())
def test_the_empty_interval_is_the_identity(interval: Interval) -> None:
    assert merge([interval, Interval()]) == merge([Interval(), interval]) == merge([interval])
    assert merge([interval]) == interval
    assert merge([]) == Interval()
    assert interval
    assert not Interval()


def test_processes_add_up_gauges_too_and_cover_the_time_of_both() -> None:
    first = Interval(
        start_s=10.0,
        length_s=1.0,
        histograms={"open": Histogram.of([5_000])},
        counters={"sent": 2},
        gauges={"users": 5},
        failures={("open", "refused"): 1},
        closes={1006: 1},
    )
    second = Interval(
        start_s=10.5,
        length_s=1.0,
        histograms={"open": Histogram.of([9_000]), "login": Histogram.of([7_000])},
        counters={"sent": 3, "lost": 1},
        gauges={"users": 6},
        failures={("open", "refused"): 2},
        closes={1000: 1},
    )
    assert merge([first, second]) == Interval(
        start_s=10.0,
        length_s=1.5,
        histograms={"open": Histogram.of([5_000, 9_000]), "login": Histogram.of([7_000])},
        counters={"sent": 5, "lost": 1},
        gauges={"users": 11},
        failures={("open", "refused"): 3},
        closes={1006: 1, 1000: 1},
    )
    assert first.histograms["open"].total == 1


def test_counts_without_a_length_are_not_lost_in_a_merge() -> None:
    late = Interval(counters={"lost": 1})
    second = Interval(start_s=10.0, length_s=1.0, counters={"lost": 2})
    assert merge([late, second]) == Interval(start_s=10.0, length_s=1.0, counters={"lost": 3})


def test_added_sums_by_key() -> None:
    assert added([{"a": 1}, {"a": 2, "b": 3}, {}]) == {"a": 3, "b": 3}


full = st.builds(
    Interval,
    length_s=st.just(1.0),
    counters=st.dictionaries(st.sampled_from("ab"), st.integers(MOST - 2, MOST) | st.integers(0, 2)),
)


@given(full, full, full)
def test_counts_end_where_they_could_not_be_stored(a: Interval, b: Interval, c: Interval) -> None:
    merged = merge([a, merge([b, c])])
    assert merged.counters == merge([merge([a, b]), c]).counters == merge([c, b, a]).counters
    assert merged.counters == Totals.of([a, b, c]).counters == added(each.counters for each in (a, b, c))
    for name, number in merged.counters.items():
        assert number == min(sum(each.counters.get(name, 0) for each in (a, b, c)), MOST)


def test_metrics_are_listed_requests_first_each_with_its_parts() -> None:
    found = ["zebra", "ping", "apple.lost", "apple", "message.service", "message", "open.tcp", "open"]
    assert in_order(found) == [
        "message",
        "message.service",
        "apple",
        "apple.lost",
        "zebra",
        "open",
        "open.tcp",
        "ping",
    ]
    assert in_order(reversed(METRICS)) == list(METRICS)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(Kind))))
def test_kinds_of_names_do_not_depend_on_the_order(parts: list[dict[str, Kind]]) -> None:
    assert named(parts) == named(reversed(parts)) == named([named(parts[:1]), named(parts[1:])])


@given(st.lists(intervals(), max_size=4), st.randoms(use_true_random=False))
def test_sums_over_time_do_not_depend_on_the_order(parts: list[Interval], random: Random) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)
    one, other = Totals.of(parts), Totals.of(shuffled)
    assert one.histograms == other.histograms
    assert (one.counters, one.failures, one.closes) == (other.counters, other.failures, other.closes)
    assert (one.peaks, one.intervals) == (other.peaks, other.intervals)
    assert (one.start_s, one.end_s) == (other.start_s, other.end_s)


def test_over_time_the_last_level_and_the_peak_are_kept() -> None:
    totals = Totals.of(
        Interval(start_s=second, length_s=1.0, gauges={"users": users})
        for second, users in ((1.0, 5), (2.0, 9), (3.0, 7))
    )
    assert (totals.gauges, totals.peaks) == ({"users": 7}, {"users": 9})


def test_the_time_covered_counts_once_where_intervals_overlap_and_not_where_there_is_none() -> None:
    spans = [(10.0, 1.0), (11.0, 1.0), (11.5, 1.0), (20.0, 1.0), (11.0, 1.0)]
    totals = Totals.of(Interval(start_s=start, length_s=length) for start, length in spans)
    assert (totals.start_s, totals.end_s, totals.duration_s) == (10.0, 21.0, 3.5)
    assert totals.intervals == 5


def test_adding_nothing_changes_nothing_and_intervals_are_left_alone() -> None:
    interval = Interval(start_s=1.0, length_s=1.0, histograms={"open": Histogram.of([5_000])})
    totals = Totals.of([interval, Interval(), interval])
    assert totals.intervals == 2
    assert totals.histograms["open"].total == 2
    assert interval.histograms["open"].total == 1


def test_levels_of_a_part_that_comes_too_late_for_its_second_are_not_those_of_all() -> None:
    """A worker's part of a second that was reported: its counts are added, its fifty users are not all there are."""
    seconds = [Interval(start_s=start_s, length_s=1.0, gauges={"users": 100}) for start_s in (1.0, 2.0)]
    for late in (1.0, 2.0, 2.04):  # the latest second's part may begin and end a little later
        part = Interval(start_s=late, length_s=1.0, gauges={"users": 50}, counters={"sent": 3})
        totals = Totals.of([*seconds, part])
        assert totals.gauges == totals.peaks == {"users": 100}
        assert totals.counters == {"sent": 3}
    leaving = Interval(start_s=3.0, length_s=0.2, gauges={"users": 7})
    assert Totals.of([*seconds, leaving]).gauges == {"users": 7}


def test_an_interval_is_of_the_second_in_which_it_begins() -> None:
    starts = (1.7e9, 1.7e9 + 0.5, 1.7e9 - 0.001, 1.7e9 - 0.1)
    assert [Interval(start_s=start_s).second - 1_700_000_000 for start_s in starts] == [0, 0, 0, -1]
