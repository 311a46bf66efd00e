"""Looking early and adding pairs: the shares of alpha, and what a look may say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_figures import made as figures
from support.made_figures import slower_by

from wsload.errors import UsageError
from wsload.judge.compare.compare import compare
from wsload.judge.compare.pairs import RunFigures
from wsload.judge.compare.sequential import EARLY_SHARE, PLANNED, LookPlan, look
from wsload.judge.compare.verdict import Gate, Verdict

GATE = Gate(judged=("message.p99",))
SCATTER = (1.0, 1.03, 0.98, 1.01, 0.97, 1.02, 0.99, 1.0, 1.04, 0.96)
EARLY = LookPlan(pairs=10, early_share=EARLY_SHARE)


def made(pairs: int, factor: float, *, invalid: tuple[str, ...] = (), planned: int = 99) -> list[RunFigures]:
    """Pairs in the order A B B A; the candidate takes ``factor`` times as long. Those beyond ``planned``
    are an extension.
    """
    order = ("ABBA" * pairs)[: 2 * pairs]
    runs = figures(
        order, slower_by(100 * factor - 100), metrics=("message",), scatter=SCATTER, invalid=invalid
    )
    return [replace(run, stage=int(at >= 2 * planned)) for at, run in enumerate(runs)]


plans = st.builds(
    LookPlan,
    pairs=st.integers(2, 60),
    first_look=st.integers(2, 12),
    early_share=st.just(0.0) | st.floats(0.01, 0.99),
)


@given(plans)
def test_the_shares_of_all_the_looks_are_one_and_no_more(plan: LookPlan) -> None:
    planned = plan.early * plan.early_looks + plan.last
    assert planned == pytest.approx(PLANNED)
    assert plan.last > 0
    shares = [plan.extension(number) for number in range(1, 60)]
    assert planned + sum(shares) <= 1 + 1e-12
    assert planned + sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)


@settings(deadline=None, max_examples=10)
@given(plans.filter(lambda plan: plan.pairs < 20))
def test_no_more_looks_are_taken_than_were_planned(plan: LookPlan) -> None:
    early = [n for n in range(1, plan.pairs) if look(made(n, 1.0), plan, GATE).comparison is not None]
    assert len(early) == plan.early_looks


def test_without_early_looks_there_are_none() -> None:
    assert all(look(made(n, 3.0), LookPlan(pairs=5), GATE).comparison is None for n in range(1, 5))
    assert look(made(5, 3.0), LookPlan(pairs=5), GATE).comparison is not None


def test_a_build_twice_as_slow_is_known_early() -> None:
    looks = [look(made(n, 2.0), EARLY, GATE) for n in (1, 2, 3)]
    assert [each.stop for each in looks] == [False, False, True]
    assert [each.comparison is None for each in looks] == [True, True, False]
    comparison = looks[-1].comparison
    assert comparison is not None
    assert comparison.verdict is Verdict.SLOWER
    assert comparison.gate.alpha == EARLY.early * GATE.alpha


def test_a_small_difference_waits_for_the_last_look() -> None:
    assert not any(look(made(n, 1.08), EARLY, GATE).stop for n in range(1, 7))
    last = look(made(10, 1.08), EARLY, GATE)
    assert last.stop
    assert last.comparison is not None
    assert last.comparison.verdict is Verdict.SLOWER
    assert last.comparison.gate.alpha == EARLY.last * GATE.alpha


def test_a_look_before_the_last_wants_more_than_a_comparison_would() -> None:
    runs = made(5, 1.10)
    assert compare(runs, GATE).verdict is Verdict.SLOWER
    early = look(runs, EARLY, GATE)
    assert not early.stop
    assert early.comparison is not None
    assert early.comparison.verdict is Verdict.INCONCLUSIVE


def test_an_experiment_that_was_cut_short_gets_its_last_look() -> None:
    runs = made(5, 1.12)
    cut = look(runs, EARLY, GATE, last=True)
    assert cut.stop
    assert cut.comparison == compare(runs, replace(GATE, alpha=EARLY.last * GATE.alpha))


def test_a_run_that_is_not_valid_makes_no_look() -> None:
    assert look(made(3, 2.0), EARLY, GATE).comparison is not None
    assert look(made(3, 2.0, invalid=("B1",)), EARLY, GATE).comparison is None


def test_shown_not_to_be_slower_ends_an_experiment_too() -> None:
    found = look(made(5, 1.0), EARLY, replace(GATE, same_within=0.5))
    assert found.stop
    assert found.comparison is not None
    assert found.comparison.verdict is Verdict.NOT_SLOWER


# Extensions


def test_an_extension_is_judged_at_what_was_kept_for_it_with_all_its_pairs() -> None:
    plan = LookPlan(pairs=4)
    found = look(made(9, 1.10, planned=4), plan, GATE)
    assert found.comparison is not None
    assert found.comparison.gate.alpha == pytest.approx(0.16 * GATE.alpha)
    (each,) = found.comparison.judgements
    assert each.pairs == 9
    assert found.comparison.verdict is Verdict.SLOWER


def test_stages_are_combined_and_not_thrown_together() -> None:
    """A rule that pools all pairs would let their number be chosen by what was seen."""
    apart, together = (compare(made(9, 1.05, planned=planned), GATE).judgements[0] for planned in (4, 99))
    assert apart.change == together.change
    assert apart.low != together.low
    assert apart.low is not None and apart.high is not None
    assert apart.low < apart.change < apart.high


def test_a_stage_without_two_valid_pairs_says_nothing() -> None:
    runs = made(6, 1.0, planned=4, invalid=("A5",))
    alone = look(runs, LookPlan(pairs=4), GATE).comparison
    assert alone is not None
    assert alone.judgements[0].pairs == 5
    assert alone.judgements[0].low is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pairs": 1}, "at least 2 pairs of runs, not 1"),
        ({"first_look": 1}, "the first look needs at least 2 pairs"),
        ({"early_share": 1.0}, "must lie between 0 and 1"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        LookPlan(**changes)  # type: ignore[arg-type]
