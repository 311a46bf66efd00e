"""Up to which percentile a metric is trusted: the rule, beside what it claims."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.run.trust import (
    SHARE,
    TOLERANCE_NS,
    TRUST_PERCENTILES,
    UNSEEN_NS,
    Bounds,
    doubt_of,
    levels,
    trusted,
    trusted_up_to,
)
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.keys import join_key
from wsload.measure.names import FAILED, LAGGED, LOST, SERVICE, TOO_LATE, UNLAGGED, Kind

MS = 1_000_000
US = 1_000
PRECISION = 1.002
"""Two histograms' buckets."""


def recorded(
    values: list[int], late_by: dict[int, int] | None = None, *, name: str = "buy", **more: object
) -> Totals:
    """A run that recorded these values (ns), some of which (by place) were late by so much."""
    late_by = late_by or {}
    histograms = {name: Histogram.of(values)}
    if late_by:
        histograms[name + LAGGED] = Histogram.of(values[place] for place in late_by)
        histograms[name + UNLAGGED] = Histogram.of(
            max(values[place] - late_ns, 0) for place, late_ns in late_by.items()
        )
    return Totals.of(
        [Interval(length_s=1.0, histograms=histograms, names={name: Kind.REQUEST}, **more)]  # type: ignore[arg-type]
    )


def test_a_punctual_run_is_trusted_up_to_its_maximum() -> None:
    assert trusted_up_to("buy", recorded([5 * MS] * 100)) == 100
    assert trusted_up_to("buy", Totals()) == 100


@pytest.mark.parametrize(
    ("late", "of", "level"),
    [
        (1, 100_000, 99.99),
        (11, 100_000, 99.9),
        (101, 100_000, 99),
        (1_001, 100_000, 95),
        (5_001, 100_000, 90),
        (10_001, 100_000, 75),
        (25_001, 100_000, 50),
        (50_001, 100_000, 0),
    ],
)
def test_few_late_values_leave_the_percentiles_below_them(late: int, of: int, level: float) -> None:
    totals = recorded(
        [5 * MS] * (of - late) + [500 * MS] * late, {of - 1 - each: 495 * MS for each in range(late)}
    )
    assert trusted_up_to("buy", totals) == level
    assert trusted("buy", 50, totals) == (level >= 50)
    assert not trusted("buy", 100, totals)


@pytest.mark.parametrize(
    ("value_ms", "late_ms", "held_against"),
    [
        (5, 1.2, True),  # more than a millisecond, and more than a tenth of the rest
        (5, 0.6, True),  # half a millisecond may be unseen beside it
        (5, 0.4, False),
        (50, 4, False),  # less than a tenth of the rest
        (50, 5, True),
        (0.5, 0.45, False),  # nine tenths of it, but less than the tolerance
    ],
)
def test_lateness_counts_from_the_tolerance_and_a_tenth(
    value_ms: float, late_ms: float, held_against: bool
) -> None:
    values = [round(value_ms * MS)] * 1_000
    totals = recorded(values, dict.fromkeys(range(1_000), round(late_ms * MS)))
    assert trusted_up_to("buy", totals) == (0 if held_against else 100)


def test_the_tolerance_is_what_it_is_set_to() -> None:
    totals = recorded([500 * US] * 1_000, dict.fromkeys(range(1_000), 300 * US))
    assert trusted_up_to("buy", totals) == 100
    assert trusted_up_to("buy", totals, tolerance_ns=200 * US) == 0


def test_late_values_amid_the_others_move_nothing() -> None:
    """What matters is the percentile, and not that something was late."""
    values = [number * MS for number in range(1, 1_001)]
    totals = recorded(values, dict.fromkeys(range(0, 1000, 20), 3 * MS))
    assert trusted_up_to("buy", totals) == 100


def test_a_level_is_never_above_one_that_is_not_trusted() -> None:
    """The median moved, p99 did not: nothing is trusted."""
    values = [10 * MS] * 900 + [900 * MS] * 100
    totals = recorded(values, dict.fromkeys(range(900), 9 * MS))
    assert Bounds.of("buy", totals).close(99, TOLERANCE_NS)
    assert trusted_up_to("buy", totals) == 0
    assert not trusted("buy", 99, totals)


def test_percentiles_between_the_rungs_are_looked_at_themselves() -> None:
    totals = recorded([MS] * 970 + [90 * MS] * 30, dict.fromkeys(range(970, 1_000), 89 * MS))
    assert trusted("buy", 97, totals)
    assert not trusted("buy", 97.1, totals)
    assert trusted_up_to("buy", totals) == 95


@given(
    st.lists(
        st.tuples(st.integers(1, 2_000_000_000), st.integers(0, 2_000_000_000)), min_size=1, max_size=80
    ),
    st.lists(st.floats(0, 1), min_size=80, max_size=80),
    st.sampled_from(TRUST_PERCENTILES),
)
def test_the_truth_lies_between_the_bounds_whatever_lateness_had_to_do_with_it(
    times: list[tuple[int, int]], shares: list[float], percentile: float
) -> None:
    """Each request's true time, and by how much at most the load generator was late: the true lateness is any part."""
    values = [true + round(late * share) for (true, late), share in zip(times, shares, strict=False)]
    late_by = {place: late for place, (_, late) in enumerate(times) if late}
    low, high = Bounds.of("buy", recorded(values, late_by)).at(percentile)
    truth = Histogram.of(true for true, _ in times).percentile(percentile)
    assert low <= truth * PRECISION + US
    assert truth <= high * PRECISION + US


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=60),
    st.lists(st.integers(1, 10**9), max_size=20),
    st.sampled_from(TRUST_PERCENTILES),
)
def test_what_was_never_begun_may_rank_anywhere(
    begun: list[int], missed: list[int], percentile: float
) -> None:
    totals = recorded(begun, failures={("buy", TOO_LATE): len(missed)} if missed else {})
    low, high = Bounds.of("buy", totals).at(percentile)
    truth = Histogram.of([*begun, *missed]).percentile(percentile)
    assert low <= truth * PRECISION + US
    assert truth <= high * PRECISION + US


def test_what_was_never_begun_distrusts_what_may_lie_among_it() -> None:
    totals = recorded([MS] * 9_960, failures={("task", TOO_LATE): 40})
    assert trusted_up_to("buy", totals) == 99
    assert Bounds.of("buy", totals).at(99.9) == (pytest.approx(MS, rel=0.01), math.inf)
    assert trusted_up_to("buy" + SERVICE, recorded([MS] * 10, name="buy" + SERVICE)) == 100
    for part in (LOST, FAILED):
        assert Bounds.of("buy" + part, totals).missed == 0


def test_parts_of_a_name_have_a_level_of_their_own() -> None:
    late = recorded([50 * MS] * 100, dict.fromkeys(range(100), 40 * MS))
    sound = recorded([10 * MS] * 100, name="buy" + SERVICE)
    late.histograms |= sound.histograms
    assert levels(late) == {"buy": 0, "buy" + SERVICE: 100}


def test_one_value_has_percentiles_too() -> None:
    assert Bounds.of("buy", recorded([5 * MS])).at(50) == (pytest.approx(5 * MS, rel=0.001),) * 2
    assert trusted_up_to("buy", recorded([5 * MS])) == 100


@pytest.mark.parametrize(("missed", "low"), [(4, MS), (5, 0.0), (6, 0.0)])
def test_what_was_never_begun_ranks_before_all_others_at_the_least(missed: int, low: float) -> None:
    """The median of five begun and so many missed: the smallest of the begun, or of the missed."""
    totals = recorded([MS] * 5, failures={("buy", TOO_LATE): missed})
    found, _ = Bounds.of("buy", totals).at(50)
    assert found == pytest.approx(low, rel=0.001)


def test_late_ones_and_those_never_begun_add_up() -> None:
    totals = recorded([MS] * 90 + [9 * MS] * 10, dict.fromkeys(range(90, 100), 8 * MS))
    totals.failures["buy", TOO_LATE] = 20
    bounds = Bounds.of("buy", totals)
    assert (bounds.missed, bounds.low.total, bounds.high.total) == (20, 100, 100)
    assert bounds.low == Histogram.of([MS] * 100)
    assert bounds.at(90)[1] == math.inf


def test_bounds_at_the_very_tolerance_are_close() -> None:
    bounds = Bounds(low=Histogram.of([5 * MS]), high=Histogram.of([6 * MS]))
    low, high = bounds.at(50)
    assert bounds.close(50, high - low + UNSEEN_NS)
    assert not bounds.close(50, high - low + UNSEEN_NS - 1)


def test_all_levels_are_by_the_same_tolerance() -> None:
    totals = recorded([5 * MS] * 100, dict.fromkeys(range(100), 2 * MS))
    assert levels(totals) == {"buy": 0}
    assert levels(totals, tolerance_ns=5 * MS) == {"buy": 100}


# Answers that may have gone to the wrong requests


def test_a_name_whose_answers_cannot_be_told_apart_is_not_trusted_whatever_its_lateness() -> None:
    totals = recorded(
        [5 * MS] * 100, counters={"buy.unpaired": 3, "buy: a message came that no request was waiting for": 3}
    )
    assert levels(totals) == {"buy": 0}
    assert not trusted("buy", 50, totals)
    assert doubt_of("buy", totals).endswith("a message came that no request was waiting for")
    assert doubt_of("sell", totals) == ""
    of_another = {"buy.unpaired": 1, join_key("buy: book", "why of another"): 1, "buy": 2}
    assert doubt_of("buy", recorded([MS], counters=of_another)).endswith("their order does not show it")
    its_own = {"buy: book.unpaired": 1, join_key("buy: book", "why"): 1, join_key("buy", "why of another"): 1}
    assert doubt_of("buy: book", recorded([MS], counters=its_own)).endswith("to which request: why")
    alone = recorded([MS], counters={"buy.unpaired": 1})
    assert doubt_of("buy" + SERVICE, alone) == (
        "it can't be proved which answer belongs to which request: their order does not show it"
    )


# What the user class recorded itself


def own_values(values: list[int], beats: list[int]) -> Totals:
    histograms = {"tick": Histogram.of(values), "loop_lag": Histogram.of(beats)}
    return Totals.of([Interval(length_s=1.0, histograms=histograms, names={"tick": Kind.VALUE})])


@pytest.mark.parametrize(
    ("late_beats", "level"), [(0, 100), (1, 99.9), (10, 99), (100, 90), (101, 75), (500, 50), (501, 0)]
)
def test_own_values_are_trusted_as_far_as_seldom_late_beats_allow(late_beats: int, level: float) -> None:
    """A tenth of what lies beyond the percentile, by the union bound."""
    beats = [50 * US] * (10_000 - late_beats) + [5 * MS] * late_beats
    assert trusted_up_to("tick", own_values([2 * MS] * 10_000, beats)) == level


@pytest.mark.parametrize(
    ("count", "level"), [(1, 100), (100, 100), (101, 99), (500, 99), (1_000, 99.9), (1_001, 99)]
)
def test_few_own_values_are_trusted_where_hardly_any_can_have_been_late(count: int, level: float) -> None:
    """One beat of 10,000 is late: no more than one in a hundred times would it have hit one of a hundred values."""
    one_late = [50 * US] * 9_999 + [5 * MS]
    assert trusted_up_to("tick", own_values([2 * MS] * count, one_late)) == level


def test_a_percentile_that_is_the_highest_own_value_is_trusted_no_more_than_the_maximum() -> None:
    """Ten of 10,000 beats are late: p99 of ninety values has none beyond it that could be late in its place."""
    ten_late = [50 * US] * 9_990 + [5 * MS] * 10
    assert trusted_up_to("tick", own_values([2 * MS] * 90, ten_late)) == 95
    assert trusted_up_to("tick", own_values([2 * MS] * 9_000, ten_late)) == 99


def test_own_values_so_large_that_late_beats_do_not_matter_are_trusted() -> None:
    assert trusted_up_to("tick", own_values([60 * MS] * 100, [5 * MS] * 1_000)) == 100
    assert trusted_up_to("tick", own_values([50 * MS] * 100, [5 * MS] * 1_000)) == 0


def test_without_a_heartbeat_nobody_vouches_for_own_values() -> None:
    totals = own_values([2 * MS] * 100, [])
    del totals.histograms["loop_lag"]
    assert trusted_up_to("tick", totals) == 0


def test_the_load_generators_own_account_is_not_doubted() -> None:
    totals = recorded([5 * MS] * 10, {0: 4 * MS}, name="send_lag")
    assert trusted_up_to("send_lag", totals) == 100


def test_the_share_is_a_tenth_of_what_would_have_been() -> None:
    """So that it is a tenth of the truth at most, which is not less."""
    low, high = 100 * MS, 109 * MS
    assert high - low <= SHARE * low
    assert trusted_up_to("buy", recorded([high] * 100, dict.fromkeys(range(100), high - low))) == 100
    assert trusted_up_to("buy", recorded([112 * MS] * 100, dict.fromkeys(range(100), 12 * MS))) == 0
