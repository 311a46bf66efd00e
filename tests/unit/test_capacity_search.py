"""The search for a capacity, step by step, and the comparison of two."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.judge.capacity.comparison import CapacityVerdict, contrast
from wsload.judge.capacity.posterior import Answer, posterior, ratio
from wsload.judge.capacity.search import Outcome, SearchPlan, SearchStatus, State, Step, look

PLAN = SearchPlan(low=100, high=20_000)


def search(server: Callable[[float], Outcome], plan: SearchPlan = PLAN) -> tuple[list[Step], SearchStatus]:
    steps: list[Step] = []
    while (rate := look(plan, steps).next_rate) is not None:
        steps.append(Step(rate=rate, outcome=server(rate), number=len(steps) + 1))
    return steps, look(plan, steps)


def holding(capacity: float, *, trusted_to: float = math.inf) -> Callable[[float], Outcome]:
    def server(rate: float) -> Outcome:
        if rate > trusted_to:
            return Outcome.UNTRUSTED
        return Outcome.HOLDS if rate <= capacity else Outcome.FAILS

    return server


capacities = st.floats(150, 15_000)


@pytest.mark.parametrize("trusted_to", [6_500, 8_000, 12_000, 20_000])
def test_a_load_generator_that_is_late_well_above_the_capacity_leaves_it_to_be_found(
    trusted_to: float,
) -> None:
    """It takes two tries of a rate, and some rates, to come down to where figures are trusted."""
    steps, found = search(holding(5_150, trusted_to=trusted_to), SearchPlan(low=625, high=40_000))
    assert found.state is State.FOUND
    assert abs(math.log(found.estimate / 5_150)) <= math.log(1.05)
    assert len(steps) <= PLAN.most_steps + 7


@given(capacities)
def test_a_capacity_within_the_range_is_found(capacity: float) -> None:
    steps, found = search(holding(capacity))
    assert found.state is State.FOUND or len(steps) == PLAN.most_steps
    assert found.low <= capacity <= found.high
    assert found.low <= found.estimate <= found.high
    assert abs(math.log(found.estimate / capacity)) <= math.log(1.07)


@given(capacities)
def test_it_goes_up_from_the_lowest_rate_and_no_step_is_far_above_what_holds(capacity: float) -> None:
    steps, _ = search(holding(capacity))
    assert steps[0].rate == PLAN.low
    for before, step in enumerate(steps[1:], start=1):
        held = max(each.rate for each in steps[:before] if each.outcome is Outcome.HOLDS)
        assert step.rate <= 1.03 * PLAN.growth * held


@given(st.lists(st.tuples(st.floats(100, 20_000), st.booleans()), max_size=8), st.floats(0.5, 0.99))
def test_the_belief_is_a_distribution_and_its_intervals_are_nested(
    given_: list[tuple[float, bool]], level: float
) -> None:
    answers = [
        Answer(rate=rate, holds=holds, number=number) for number, (rate, holds) in enumerate(given_, 1)
    ]
    found = posterior(answers, 100, 20_000, now=len(answers))
    assert found.shares.sum() == pytest.approx(1)
    low, high = found.interval(level)
    inner = found.interval(level / 2)
    assert low <= inner[0] <= found.quantile(0.5) <= inner[1] <= high


def test_a_step_that_holds_makes_higher_capacities_likelier_and_one_that_fails_lower_ones() -> None:
    before = posterior([], 100, 20_000, now=0).above(1_000)
    for holds in (True, False):
        after = posterior([Answer(rate=1_000, holds=holds, number=1)], 100, 20_000, now=1).above(1_000)
        assert (after > before) is holds


def test_older_steps_say_less_precisely_where_the_border_is() -> None:
    answers = [
        Answer(rate=900 + 100 * fails, holds=not fails, number=1) for fails in (0, 1) for _ in range(3)
    ]

    def width(now: int) -> float:
        low, high = posterior(answers, 100, 20_000, now=now).interval(0.9)
        return high / low

    assert width(1) < width(5) < width(20)


@given(capacities, st.integers(0, 12))
def test_one_step_that_stalls_does_not_ruin_the_search(capacity: float, stalls: int) -> None:
    asked = 0

    def server(rate: float) -> Outcome:
        nonlocal asked
        asked += 1
        return Outcome.FAILS if asked == stalls else holding(capacity)(rate)

    _, found = search(server, SearchPlan(low=100, high=20_000, most_steps=30))
    assert found.low <= capacity <= found.high


def test_the_ends_of_the_range_are_answers_too() -> None:
    steps, found = search(holding(50_000))
    assert found.state is State.ABOVE and steps[-1].rate == PLAN.high
    steps, found = search(holding(20))
    assert found.state is State.BELOW and {step.rate for step in steps} == {PLAN.low}


def test_a_load_generator_that_gives_out_first_is_never_taken_for_the_server() -> None:
    steps, found = search(holding(50_000, trusted_to=3_000))
    assert found.state is State.GAVE_OUT and found.next_rate is None
    assert found.ceiling is not None and 3_000 < found.ceiling <= 1.5 * 3_000
    assert len(steps) < PLAN.most_steps


def test_below_where_the_load_generator_gives_out_a_capacity_is_still_found() -> None:
    _, found = search(holding(2_000, trusted_to=3_000))
    assert found.state is State.FOUND and found.low <= 2_000 <= found.high


def test_a_step_not_trusted_once_is_made_again() -> None:
    asked: list[float] = []

    def server(rate: float) -> Outcome:
        asked.append(rate)
        return Outcome.UNTRUSTED if len(asked) == 3 else holding(2_000)(rate)

    _, found = search(server)
    assert asked[2] == asked[3]
    assert found.state is State.FOUND and found.ceiling is None


def test_a_load_generator_that_can_not_even_make_the_lowest_rate() -> None:
    steps, found = search(holding(2_000, trusted_to=10))
    assert found.state is State.GAVE_OUT and len(steps) == 3


def with_few(capacity: float, *, below: float) -> Callable[[float], Outcome]:
    """A server whose steps have too few values at rates below this."""
    return lambda rate: Outcome.FEW if rate < below else holding(capacity)(rate)


def test_too_few_values_at_low_rates_leave_the_capacity_to_be_found() -> None:
    plan = SearchPlan(low=1, high=1_000, whole=True)
    steps, found = search(with_few(300, below=5), plan)
    assert [step.rate for step in steps[:2]] == [1, 6] and steps[0].outcome is Outcome.FEW
    assert found.state is State.FOUND and found.ceiling is None
    assert found.low <= 300 <= found.high


@pytest.mark.parametrize("capacity", [30, 50_000])
def test_too_few_values_at_every_rate_end_the_search(capacity: float) -> None:
    steps, found = search(with_few(capacity, below=1e9))
    assert (found.state, found.ceiling) == (State.FEW, None)
    assert steps[-1].rate == PLAN.high and len(steps) == 5


def test_too_few_values_above_a_rate_that_holds_are_tried_twice_and_end_the_search() -> None:
    steps, found = search(lambda rate: Outcome.FEW if rate > 1_000 else Outcome.HOLDS)
    assert found.state is State.FEW
    assert [step.outcome for step in steps] == [Outcome.HOLDS, Outcome.HOLDS, Outcome.FEW, Outcome.FEW]


def test_too_few_values_below_a_rate_that_fails_end_the_search() -> None:
    steps, found = search(with_few(30, below=1_000))
    assert found.state is State.FEW
    assert [step.outcome for step in steps[-3:]] == [Outcome.FAILS, Outcome.FEW, Outcome.FEW]


def test_too_few_values_say_nothing_of_the_capacity() -> None:
    steps = [Step(rate=100, outcome=Outcome.FEW, number=1)]
    before, after = look(PLAN, [], 1), look(PLAN, steps)
    assert (after.low, after.estimate, after.high) == (before.low, before.estimate, before.high)


@given(st.lists(st.sampled_from(Outcome), min_size=60, max_size=60), st.integers(3, 20))
def test_whatever_comes_out_the_steps_are_bounded(outcomes: list[Outcome], most: int) -> None:
    """Those that say nothing about the server are, too."""
    left = iter(outcomes)
    steps, found = search(lambda _: next(left), SearchPlan(low=100, high=20_000, most_steps=most))
    assert sum(step.outcome.counts for step in steps) <= most and len(steps) <= 2 * most
    assert found.ceiling is None or Outcome.UNTRUSTED in {step.outcome for step in steps}
    if found.state is State.GAVE_OUT:
        assert any(step.outcome is Outcome.UNTRUSTED for step in steps)
    if found.state is State.FEW:
        assert any(step.outcome is Outcome.FEW for step in steps)


def test_a_busy_machine_ends_the_search_with_what_is_known() -> None:
    """Two of three steps are not trusted: none are made beyond twice those that count."""
    made = 0

    def server(rate: float) -> Outcome:
        nonlocal made
        made += 1
        return holding(2_000)(rate) if made % 3 == 0 else Outcome.UNTRUSTED

    steps, found = search(server, SearchPlan(low=100, high=20_000, most_steps=6))
    assert len(steps) == 12 and found.state is State.IMPRECISE
    assert found.low <= 2_000 <= found.high


def test_numbers_of_users_are_whole() -> None:
    steps, found = search(holding(37.5), SearchPlan(low=10, high=400, whole=True))
    assert all(step.rate == int(step.rate) for step in steps)
    assert found.low <= 37.5 <= found.high


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"low": 0.0}, "must be above 0"),
        ({"high": 50.0}, "below the upper one"),
        ({"precision": 0.9}, "--precision 90%: from 1% to 50%"),
        ({"most_steps": 2}, "--steps 2: from 3 to 100"),
    ],
)
def test_a_plan_that_can_not_be_searched_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SearchPlan(**({"low": 100.0, "high": 200.0} | changes))  # type: ignore[arg-type]


# Two of them


def both(a: float, b: float) -> tuple[list[Step], list[Step]]:
    return search(holding(a))[0], search(holding(b))[0]


@pytest.mark.parametrize(
    ("b", "verdict"),
    [(4_000, CapacityVerdict.LESS), (5_000, CapacityVerdict.NOT_LESS), (6_250, CapacityVerdict.MORE)],
)
def test_two_capacities_are_compared(b: float, verdict: CapacityVerdict) -> None:
    found = contrast(PLAN, *both(5_000, b))
    assert found.verdict is verdict
    assert found.low <= b / 5_000 <= found.high


@given(capacities, capacities)
def test_the_interval_of_the_ratio_is_the_others_turned_over(a: float, b: float) -> None:
    one, other = contrast(PLAN, *both(a, b)), contrast(PLAN, *both(b, a))
    assert one.low == pytest.approx(1 / other.high, rel=0.01)
    assert one.high == pytest.approx(1 / other.low, rel=0.01)


def test_a_side_that_was_not_searched_leaves_it_open() -> None:
    assert contrast(PLAN, both(5_000, 5_000)[0], []).verdict is CapacityVerdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("a", "b", "verdict", "code"),
    [
        (50_000, 90_000, CapacityVerdict.BOTH_ABOVE, ExitCode.OK),
        (20, 30, CapacityVerdict.BOTH_BELOW, ExitCode.FAILED),
        (20, 5_000, CapacityVerdict.MORE, ExitCode.OK),
        (50_000, 5_000, CapacityVerdict.LESS, ExitCode.FAILED),
    ],
)
def test_beyond_the_range_two_builds_end_as_one_does(
    a: float, b: float, verdict: CapacityVerdict, code: ExitCode
) -> None:
    found = contrast(PLAN, *both(a, b))
    assert (found.verdict, found.exit_code) == (verdict, code)


def test_a_build_that_ended_long_before_the_other_is_still_beyond_the_range() -> None:
    """Its capacity may have drifted since, but that is how its search ended."""
    early, late = both(50_000, 50_000)
    late = [Step(rate=step.rate, outcome=step.outcome, number=step.number + 100) for step in late]
    assert contrast(PLAN, early, late).verdict is CapacityVerdict.BOTH_ABOVE


def test_the_ratio_of_a_belief_to_itself_is_around_one() -> None:
    found = look(PLAN, search(holding(3_000))[0]).posterior
    of_itself = ratio(found, found)
    assert of_itself.quantile(0.5) == pytest.approx(1, abs=0.01)
