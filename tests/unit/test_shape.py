from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.figures.shape import PHASES, Opening, Shape, opening, shape
from wsload.measure.histogram import Histogram

MS = 1_000_000
values = st.lists(st.integers(1_000, 60_000_000_000), min_size=1, max_size=300)


@given(values)
def test_a_shape_rises_from_the_smallest_value_to_the_maximum(found: list[int]) -> None:
    histogram = Histogram.of(found)
    curve = shape(histogram)
    assert curve.count == len(found)
    assert list(curve.percentiles) == sorted(set(curve.percentiles))
    assert list(curve.values_ns) == sorted(curve.values_ns)
    assert curve.values_ns[-1] == histogram.max_ns
    assert curve.percentiles[-1] == 100 - 100 / len(found)


def test_a_shape_holds_the_percentiles_people_quote() -> None:
    histogram = Histogram.of(range(MS, 2 * MS, 100))
    curve = shape(histogram)
    for percentile in (50.0, 90.0, 99.0, 99.9):
        place = curve.percentiles.index(percentile)
        assert curve.values_ns[place] == histogram.percentile(percentile)


def test_no_values_have_no_shape() -> None:
    assert shape(Histogram()) == Shape(count=0, percentiles=(), values_ns=())


def test_phases_and_waiting_add_up_to_the_mean_of_open() -> None:
    histograms = {
        "open": Histogram.of([20 * MS] * 10),
        "open.tcp": Histogram.of([2 * MS] * 10),
        "open.tls": Histogram.of([8 * MS] * 10),
        "open.upgrade": Histogram.of([5 * MS] * 10),
    }
    found = opening(histograms)
    assert list(found.phases) == ["open.tcp", "open.tls", "open.upgrade"]
    assert sum(found.phases.values()) + found.waiting_ns == pytest.approx(20 * MS, rel=0.001)
    assert found.waiting_ns == pytest.approx(5 * MS, rel=0.01)


def test_time_spent_on_redirects_is_no_waiting() -> None:
    histograms = {
        "open": Histogram.of([20 * MS] * 10),
        "open.redirect": Histogram.of([12 * MS] * 5),
        "open.upgrade": Histogram.of([14 * MS] * 10),
    }
    found = opening(histograms)
    assert found.phases["open.redirect"] == pytest.approx(6 * MS, rel=0.001)
    assert found.waiting_ns == pytest.approx(0, abs=0.1 * MS)


def test_a_phase_that_half_of_the_openings_had_counts_half() -> None:
    histograms = {"open": Histogram.of([9 * MS] * 10), "open.dns": Histogram.of([4 * MS] * 5)}
    assert opening(histograms).phases["open.dns"] == pytest.approx(2 * MS, rel=0.001)


def test_openings_that_failed_do_not_make_a_phase_longer_than_it_is() -> None:
    histograms = {"open": Histogram.of([9 * MS] * 2), "open.tcp": Histogram.of([4 * MS] * 50)}
    assert opening(histograms).phases["open.tcp"] == pytest.approx(4 * MS, rel=0.001)


def test_where_nothing_was_opened_there_is_nothing_to_divide() -> None:
    assert opening({}) == Opening(phases={}, waiting_ns=0)
    assert opening({"open.tcp": Histogram.of([MS])}).waiting_ns == 0


@given(st.dictionaries(st.sampled_from(("open", *PHASES)), values.map(Histogram.of)))
def test_no_part_is_negative(histograms: dict[str, Histogram]) -> None:
    found = opening(histograms)
    assert found.waiting_ns >= 0
    assert all(part >= 0 for part in found.phases.values())
