"""Looking early: the shares of alpha, and what a look may say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.judge.compare.compare import compare
from wsload.judge.compare.pairs import RunFigures, Side
from wsload.judge.compare.sequential import Plan, look
from wsload.judge.compare.verdict import Gate, Verdict

MS = 1_000_000
GATE = Gate(judged=("message.p99",))
SCATTER = (1.0, 1.03, 0.98, 1.01, 0.97, 1.02, 0.99, 1.0, 1.04, 0.96)


def made(pairs: int, factor: float, *, invalid: int | None = None) -> list[RunFigures]:
    """Pairs in the order A B B A; the candidate takes ``factor`` times as long."""
    runs = []
    for at in range(2 * pairs):
        candidate = at % 4 in (1, 2)
        value = 20 * MS * SCATTER[at % len(SCATTER)] * (factor if candidate else 1)
        runs.append(
            RunFigures(
                name=f"run{at}",
                side=Side.CANDIDATE if candidate else Side.BASELINE,
                started_s=at,
                values={"message.p99": round(value)},
                valid=at != invalid,
            )
        )
    return runs


plans = st.builds(
    Plan,
    pairs=st.integers(2, 60),
    first_look=st.integers(2, 12),
    early_share=st.floats(0.01, 0.99),
    alpha=st.floats(0.001, 0.3),
)


@given(plans)
def test_the_shares_of_all_the_looks_are_alpha_and_no_more(plan: Plan) -> None:
    assert plan.early_level * plan.early_looks + plan.last_level == pytest.approx(plan.alpha)
    assert plan.last_level > 0
    assert plan.early_looks == len(range(plan.first_look, plan.pairs))


@settings(deadline=None, max_examples=20)
@given(plans)
def test_no_more_looks_are_taken_than_were_planned(plan: Plan) -> None:
    done = range(1, plan.pairs + 1)
    early = [n for n in done if n < plan.pairs and look(made(n, 1.0), plan, GATE).comparison is not None]
    assert len(early) == plan.early_looks


def test_a_build_twice_as_slow_is_known_early() -> None:
    plan = Plan(pairs=10)
    looks = [look(made(n, 2.0), plan, GATE) for n in (1, 2, 3, 4)]
    assert [each.stop for each in looks] == [False, False, False, True]
    assert [each.comparison is None for each in looks] == [True, True, False, False]
    comparison = looks[-1].comparison
    assert comparison is not None
    assert comparison.verdict is Verdict.SLOWER
    assert comparison.gate.alpha == plan.early_level


def test_a_small_difference_waits_for_the_last_look() -> None:
    plan = Plan(pairs=10)
    assert not any(look(made(n, 1.08), plan, GATE).stop for n in range(1, 10))
    last = look(made(10, 1.08), plan, GATE)
    assert last.stop
    assert last.comparison is not None
    assert last.comparison.verdict is Verdict.SLOWER
    assert last.comparison.gate.alpha == plan.last_level


def test_a_look_before_the_last_wants_more_than_a_comparison_would() -> None:
    runs = made(5, 1.12)
    assert compare(runs, GATE).verdict is Verdict.SLOWER
    early = look(runs, Plan(pairs=10), GATE)
    assert not early.stop
    assert early.comparison is not None
    assert early.comparison.verdict is Verdict.INCONCLUSIVE


def test_an_experiment_that_was_cut_short_gets_its_last_look() -> None:
    runs = made(5, 1.12)
    cut = look(runs, Plan(pairs=10), GATE, last=True)
    assert cut.stop
    assert cut.comparison == compare(runs, replace(GATE, alpha=Plan(pairs=10).last_level))


def test_a_run_that_is_not_valid_makes_no_look() -> None:
    plan = Plan(pairs=10)
    assert look(made(3, 2.0), plan, GATE).comparison is not None
    assert look(made(3, 2.0, invalid=1), plan, GATE).comparison is None


def test_sameness_too_ends_an_experiment() -> None:
    loose = replace(GATE, same_within=0.5)
    found = look(made(5, 1.0), Plan(pairs=10), loose)
    assert found.stop
    assert found.comparison is not None
    assert found.comparison.verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pairs": 1}, "at least 2 pairs of runs, not 1"),
        ({"first_look": 1}, "the first look comes after at least 2 pairs"),
        ({"early_share": 1.0}, "lie between 0 and 1"),
        ({"alpha": 0.0}, "lie between 0 and 1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Plan(**changes)  # type: ignore[arg-type]
