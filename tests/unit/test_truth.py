"""The stall formula against arrivals counted one by one, and the comparisons made with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.commands.selftest.truth import (
    PercentileCheck,
    Stalls,
    delay_tolerance_ns,
    due_times,
    percentiles,
    stall_tolerance_ns,
    undercut,
)
from wsload.measure.histogram import Histogram

MS = 1_000_000
SECOND = 1_000 * MS

stalls_of = st.tuples(st.integers(10, 900), st.integers(1, 99)).map(
    lambda pair: Stalls(stall_ns=pair[0] * MS, period_ns=pair[0] * MS * 100 // pair[1])
)
shares = st.floats(0.001, 0.999)


def waits(stalls: Stalls, span_ns: int, count: int) -> np.ndarray:
    """What so many evenly spaced arrivals wait, from the start of a period on."""
    arrivals = (np.arange(count) + 0.5) * span_ns / count
    left = stalls.period_ns - arrivals % stalls.period_ns
    return np.where(left <= stalls.stall_ns, left, 0.0)


# The formula


@pytest.mark.parametrize(
    ("q", "wanted_ms"), [(0.5, 0), (0.9, 0), (0.95, 100), (0.99, 180), (0.999, 198), (1.0, 200)]
)
def test_the_worked_example(q: float, wanted_ms: float) -> None:
    stalls = Stalls(stall_ns=200 * MS, period_ns=2 * SECOND)
    assert stalls.quantile(q) == pytest.approx(wanted_ms * MS, abs=1)
    assert stalls.quantile(q, 3 * stalls.period_ns) == pytest.approx(wanted_ms * MS, abs=1)


def test_the_base_latency_is_added_and_is_all_that_the_untouched_have() -> None:
    stalls = Stalls(stall_ns=200 * MS, period_ns=2 * SECOND, base_ns=3 * MS)
    assert [round(stalls.quantile(q) / MS) for q in (0.5, 0.95, 1.0)] == [3, 103, 203]


@given(stalls_of, shares, st.integers(1, 20))
def test_any_number_of_whole_periods_is_the_formula(stalls: Stalls, q: float, periods: int) -> None:
    # In the words of the formula, which the code does not use.
    share = stalls.stall_ns / stalls.period_ns
    wanted = stalls.stall_ns * (1 - (1 - q) / share) if q > 1 - share else 0.0
    assert stalls.quantile(q) == pytest.approx(wanted, rel=1e-9, abs=1)
    assert stalls.quantile(q, periods * stalls.period_ns) == pytest.approx(wanted, rel=1e-9, abs=1)


@given(stalls_of, shares, st.floats(0.05, 9.0))
def test_a_span_that_ends_anywhere_is_what_counting_gives(stalls: Stalls, q: float, periods: float) -> None:
    count = 20_000
    span_ns = round(periods * stalls.period_ns)
    counted = np.sort(waits(stalls, span_ns, count))
    # One arrival more or less, and the steps between them.
    step = span_ns / count
    rank = math.ceil(q * count)
    low, high = counted[max(rank - 3, 0)] - 2 * step, counted[min(rank + 1, count - 1)] + 2 * step
    assert low <= stalls.quantile(q, span_ns) <= high


@given(stalls_of, shares, shares, st.none() | st.integers(1, 10**10))
def test_a_higher_quantile_is_never_lower(stalls: Stalls, one: float, other: float, span_ns: int) -> None:
    low, high = (stalls.quantile(q, span_ns) for q in sorted((one, other)))
    assert 0 <= low <= high <= stalls.stall_ns


@pytest.mark.parametrize("rho", [0.1, 0.5])
def test_a_backlog_that_drains_slowly_touches_more(rho: float) -> None:
    stalls = Stalls(stall_ns=200 * MS, period_ns=2 * SECOND, rho=rho)
    # A queue served in order: nothing is served in a stall, and one post takes rho of a gap.
    gap_ns, done_ns, found = 100_000, 0.0, []
    for arrival_ns in range(0, 20 * SECOND, gap_ns):
        begin_ns = max(arrival_ns, done_ns)
        left_ns = stalls.period_ns - begin_ns % stalls.period_ns
        if left_ns <= stalls.stall_ns:
            begin_ns += left_ns
        done_ns = begin_ns + rho * gap_ns
        found.append(begin_ns - arrival_ns)
    for q in (0.9, 0.95, 0.99):
        counted = percentiles(np.array(found, dtype=np.int64), (100 * q,))[0]
        assert stalls.quantile(q) == pytest.approx(counted, abs=2 * MS)


def test_poisson_arrivals_scatter_as_said() -> None:
    stalls, rate, span_ns = Stalls(stall_ns=200 * MS, period_ns=2 * SECOND), 1_000, 8 * SECOND
    random = np.random.default_rng(7)
    found = []
    for _ in range(400):
        arrivals = random.uniform(0, span_ns, random.poisson(rate * span_ns / SECOND))
        left = stalls.period_ns - arrivals % stalls.period_ns
        found.append(np.quantile(np.where(left <= stalls.stall_ns, left, 0.0), 0.99))
    assert stalls.scatter_ns(0.99, rate * span_ns // SECOND) == pytest.approx(np.std(found), rel=0.2)


# What the account gives


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300), st.floats(0.0, 100.0))
def test_exact_percentiles_have_the_ranks_of_the_histogram(values: list[int], wanted: float) -> None:
    exact = percentiles(np.array(values, dtype=np.int64), (wanted,))[0]
    assert exact in values
    read = Histogram.of(values).percentile(wanted)
    if wanted:  # percentile 0 is a bucket's lower edge
        assert exact <= read <= exact + max(exact // 1000, 512)


@given(
    st.integers(1, 100_000),
    st.integers(0, 10**15),
    st.lists(st.integers(0, 50 * MS), min_size=1, max_size=200),
)
def test_due_times_are_found_again_as_closely_as_the_most_punctual_was(
    rate: int, start_ns: int, lags: list[int]
) -> None:
    due = start_ns + np.array([int(number * 1e9 / rate) for number in range(len(lags))], dtype=np.int64)
    found = due_times(due + np.array(lags, dtype=np.int64), rate)
    assert (found - due == min(lags)).all()


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**8)), max_size=100))
def test_values_at_or_above_their_floors_undercut_nothing(pairs: list[tuple[int, int]]) -> None:
    floors = np.array([floor for floor, _ in pairs], dtype=np.int64)
    assert undercut(Histogram.of(floor + more for floor, more in pairs), floors) == 0


@given(st.integers(1, 50), st.integers(0, 50))
def test_values_below_their_floors_are_counted(below: int, above: int) -> None:
    values = Histogram.of([49 * MS] * below + [60 * MS] * above)
    assert undercut(values, np.array([50 * MS] * (below + above), dtype=np.int64)) == below


def test_more_values_than_floors_undercut() -> None:
    assert undercut(Histogram.of([10, 20, 30 * MS]), np.array([0, 0], dtype=np.int64)) == 1


# How far off is too far


def test_tolerances() -> None:
    assert stall_tolerance_ns(99, 180 * MS) == 3_600_000
    assert stall_tolerance_ns(99, 20 * MS) == MS, "a millisecond at least"
    assert stall_tolerance_ns(95, 100 * MS) == 5 * MS
    assert stall_tolerance_ns(50, 100_000) == 3 * MS
    assert delay_tolerance_ns(50 * MS) == 200_000
    assert delay_tolerance_ns(100_000) == 150_512


def test_an_error_counts_in_both_directions() -> None:
    high, low, edge = (
        PercentileCheck(
            metric="message", percentile=99, truth_ns=180 * MS, read_ns=read, tolerance_ns=3_600_000
        )
        for read in (183_600_001, 176_399_999, 183_600_000)
    )
    assert (high.within, low.within, edge.within) == (False, False, True)
    assert edge.error == pytest.approx(0.02)
    assert low.error_ns == -3_600_001
    nothing = PercentileCheck(metric="message", percentile=99, truth_ns=0, read_ns=5, tolerance_ns=10)
    assert nothing.error == 0.0
