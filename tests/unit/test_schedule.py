from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from wsload.measure.schedule import SECOND_NS, ConstantRate, PoissonRate, Schedule, SwarmRate, backoff

rates = st.floats(0.001, 1e6)
seeds = st.integers(0, 2**32)


def first(schedule: Schedule, number: int) -> list[int]:
    return [schedule.due_ns() for _ in range(number)]


# ConstantRate


@given(rates, st.floats(0, 1, exclude_max=True), st.integers(1, 200))
@example(1.0, 0.02, 5)  # one nanosecond too early, when it was rounded down
def test_constant_rate_is_exact_to_a_nanosecond(rate: float, phase: float, number: int) -> None:
    for n, due in enumerate(first(ConstantRate(rate, phase), number)):
        exact = (n + Fraction(phase)) * SECOND_NS / Fraction(rate)
        assert abs(due - exact) <= 1


@given(rates, st.floats(0, 1, exclude_max=True))
def test_constant_rate_never_goes_back(rate: float, phase: float) -> None:
    dues = first(ConstantRate(rate, phase), 500)
    assert dues == sorted(dues)
    assert dues[0] >= 0


def test_constant_rate_does_not_drift() -> None:
    assert first(ConstantRate(3000.0), 3000 * 60 + 1)[-1] == 60 * SECOND_NS


@pytest.mark.parametrize("kind", [ConstantRate, PoissonRate])
@pytest.mark.parametrize("rate", [0, -1, SECOND_NS, math.inf, math.nan])
def test_an_impossible_rate_is_refused(kind: type[ConstantRate] | type[PoissonRate], rate: float) -> None:
    with pytest.raises(ValueError, match="a rate must be"):
        kind(rate)


# PoissonRate


def test_poisson_gaps_are_exponential() -> None:
    rate, number = 250.0, 100_000
    dues = first(PoissonRate(rate, seed=5), number)
    gaps = [later - earlier for earlier, later in itertools.pairwise([0, *dues])]
    mean = SECOND_NS / rate
    # The mean of n gaps scatters by mean/sqrt(n) = 0.3 %, a share p by sqrt(p(1-p)/n) < 0.16 %.
    assert sum(gaps) / number == pytest.approx(mean, rel=0.015)
    for times in (0.1, 0.5, 1, 2, 4):
        share = sum(gap > times * mean for gap in gaps) / number
        assert share == pytest.approx(math.exp(-times), abs=0.008)


@given(rates, seeds)
def test_poisson_never_goes_back_and_repeats_itself_by_its_seed(rate: float, seed: int) -> None:
    dues = first(PoissonRate(rate, seed), 100)
    assert dues == sorted(dues)
    assert dues == first(PoissonRate(rate, seed), 100)


# SwarmRate

stretches = st.lists(
    st.tuples(st.integers(0, 3 * SECOND_NS), st.sampled_from((0.0, 0.5, 1.0, 7.0)) | st.floats(1e-6, 50)),
    min_size=1,
    max_size=30,
)
"""(how long in ns, arrivals a second) of one stretch after the other."""


def arrivals(swarm: SwarmRate, until_ns: int) -> list[int]:
    """Those due up to this time, taken."""
    taken = []
    while (due := swarm.next_ns()) is not None and due <= until_ns:
        taken.append(due)
        swarm.advance()
    return taken


def run_through(swarm: SwarmRate, start_ns: int, plan: list[tuple[int, float]]) -> list[int]:
    """The arrivals of a swarm whose rate changes as planned, each taken as soon as it is due."""
    now, taken = start_ns, []
    for length_ns, rate in plan:
        swarm.change(now, rate)
        now += length_ns
        taken += arrivals(swarm, now)
    return taken


@given(st.integers(0, 2**50), stretches)
def test_arrivals_are_the_integral_of_the_rate(start_ns: int, plan: list[tuple[int, float]]) -> None:
    integral = sum(Fraction(rate) * length_ns / SECOND_NS for length_ns, rate in plan)
    # Within rounding of a whole number either neighbour is right.
    assume(abs(integral - round(integral)) > Fraction(1, 10**6))
    taken = run_through(SwarmRate(start_ns), start_ns, plan)
    assert len(taken) == math.floor(integral)
    assert taken == sorted(taken)


@given(st.integers(0, 2**50), st.lists(st.integers(0, SECOND_NS), max_size=40), st.floats(0.5, 100))
def test_changing_to_the_same_rate_changes_nothing(start_ns: int, lengths: list[int], rate: float) -> None:
    changed = run_through(SwarmRate(start_ns), start_ns, [(length, rate) for length in lengths])
    left_alone = run_through(SwarmRate(start_ns), start_ns, [(sum(lengths), rate)])
    assert len(changed) in (len(left_alone) - 1, len(left_alone), len(left_alone) + 1)
    assert all(abs(one - other) <= 2 for one, other in zip(changed, left_alone, strict=False))


@given(st.floats(0.5, 1000))
def test_at_a_steady_rate_arrivals_are_evenly_spaced(rate: float) -> None:
    taken = run_through(SwarmRate(1_000), 1_000, [(20 * SECOND_NS, rate)])
    for number, due in enumerate(taken, start=1):
        assert abs(due - (1_000 + number * SECOND_NS / rate)) <= 2


def test_a_rate_of_nothing_pauses_and_what_had_passed_is_kept() -> None:
    swarm = SwarmRate(0)
    assert swarm.next_ns() is None
    swarm.change(0, 1.0)
    swarm.change(SECOND_NS * 3 // 4, 0.0)
    assert swarm.next_ns() is None
    swarm.change(10 * SECOND_NS, 1.0)
    assert swarm.next_ns() == 10 * SECOND_NS + SECOND_NS // 4


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        SwarmRate(0).change(0, -0.1)


@given(stretches, st.integers(0, 5))
def test_poisson_arrivals_are_those_of_one_unit_series(plan: list[tuple[int, float]], seed: int) -> None:
    """However the rate changes, the points of the series are the same: none is lost, none comes twice."""
    taken = run_through(SwarmRate(0, poisson=True, seed=seed), 0, plan)
    series = SwarmRate(0, poisson=True, seed=seed)
    integral = sum(rate * length_ns / SECOND_NS for length_ns, rate in plan)
    points = run_through(series, 0, [(int((integral + 1e-6) * SECOND_NS), 1.0)])
    assert abs(len(points) - len(taken)) <= 1
    assert taken == sorted(taken)


def test_poisson_arrivals_scatter_as_they_should() -> None:
    swarm = SwarmRate(0, poisson=True, seed=3)
    plan = [(SECOND_NS // 10, 400.0 if number % 2 else 100.0) for number in range(2_000)]
    taken = run_through(swarm, 0, plan)
    # 50,000 expected, scattering by the square root of that.
    assert len(taken) == pytest.approx(50_000, abs=5 * math.sqrt(50_000))
    quiet = sum((due // (SECOND_NS // 10)) % 2 == 0 for due in taken)
    assert quiet == pytest.approx(10_000, abs=5 * math.sqrt(10_000))


def test_backoff_doubles_up_to_ten_seconds_and_spreads_out() -> None:
    delays = list(itertools.islice(backoff(), 12))
    for attempt, delay in enumerate(delays):
        most = min(0.1 * 2**attempt, 10)
        assert most / 2 <= delay <= most
    assert delays != list(itertools.islice(backoff(), 12))


# Shedding what is overdue


@given(st.floats(1, 1e5), st.floats(0, 20), st.integers(0, 500))
def test_even_arrivals_that_are_shed_leave_the_newest_and_nothing_is_lost(
    rate: float, late_s: float, keep: int
) -> None:
    swarm = SwarmRate(0)
    swarm.change(0, rate)
    now_ns = int(late_s * SECOND_NS)
    due = math.floor(rate * late_s + 1e-6)
    shed = swarm.shed(now_ns, keep)
    assert shed == pytest.approx(max(due - keep, 0), abs=1)
    assert swarm.shed(now_ns, keep) == 0, "nothing twice"
    left = 0
    while (next_ns := swarm.next_ns()) is not None and next_ns <= now_ns:
        left += 1
        swarm.advance()
    assert shed + left == pytest.approx(due, abs=1)


def test_random_arrivals_are_shed_by_the_thousand_only() -> None:
    swarm = SwarmRate(0, poisson=True, seed=1)
    swarm.change(0, 1_000.0)
    assert swarm.shed(SECOND_NS, keep=10) == 0
    assert 900 < swarm.shed(2 * SECOND_NS, keep=500) < 2_100


def test_random_arrivals_that_are_shed_are_as_many_as_came_and_scatter_like_them() -> None:
    counts, gaps = [], []
    for seed in range(400):
        swarm = SwarmRate(0, poisson=True, seed=seed)
        swarm.change(0, 10_000.0)
        counts.append(swarm.shed(SECOND_NS, keep=100))
        next_ns = swarm.next_ns()
        assert next_ns is not None
        gaps.append(next_ns / SECOND_NS - (1 - 100 / 10_000))
    mean = sum(counts) / len(counts)
    deviation = math.sqrt(sum((each - mean) ** 2 for each in counts) / len(counts))
    assert mean == pytest.approx(9_900, abs=25)  # five standard errors of a Poisson count
    assert deviation == pytest.approx(math.sqrt(9_900), rel=0.2)
    assert min(gaps) >= 0
    assert sum(gaps) / len(gaps) == pytest.approx(1 / 10_000, rel=0.3)


@given(
    rate=st.floats(0.5, 5_000),
    began_ns=st.integers(1, 10**15),
    apart_ns=st.integers(0, 10**9),
    passed_ns=st.integers(0, 10**9),
)
def test_two_even_schedules_interleave(rate: float, began_ns: int, apart_ns: int, passed_ns: int) -> None:
    """From any phases, and for as long as they run."""
    first, other = SwarmRate(began_ns), SwarmRate(began_ns)
    first.change(began_ns, rate)
    other.change(began_ns + apart_ns, rate)
    now_ns = began_ns + apart_ns + passed_ns
    for each in (first, other):
        while (each.next_ns() or 0) <= now_ns:
            each.advance()
    other.move_next(now_ns, first.middle_ns(now_ns))
    gap_ns = SECOND_NS / rate
    for _ in range(5):
        due_ns, other_ns = first.next_ns(), other.next_ns()
        assert due_ns is not None and other_ns is not None and other_ns >= now_ns - 1
        phase = (other_ns - due_ns) % gap_ns
        assert abs(phase - gap_ns / 2) <= max(3, gap_ns * 1e-6)
        first.advance()
        other.advance()


def test_a_schedule_that_stands_still_stays_so() -> None:
    first, other = SwarmRate(10), SwarmRate(10)
    assert first.middle_ns(20) is None
    other.change(10, 5.0)
    before = other.next_ns()
    other.move_next(20, None)
    assert other.next_ns() == before
