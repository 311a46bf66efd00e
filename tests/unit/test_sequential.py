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
from wsload.judge.compare.pairs import Basis, RunFigures
from wsload.judge.compare.sequential import CLEAR, EARLY_SHARE, PLANNED, LookPlan, judged, look
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
    early = [n for n in range(1, plan.pairs + 1) if look(made(n, 1.0), plan, GATE) is not None]
    assert len(early) == plan.early_looks


def test_without_early_looks_there_are_none() -> None:
    assert all(look(made(n, 3.0), LookPlan(pairs=5), GATE) is None for n in range(1, 6))


def test_a_build_twice_as_slow_is_known_early() -> None:
    looks = [look(made(n, 2.0), EARLY, GATE) for n in (1, 2, 3)]
    assert looks[:2] == [None, None]
    comparison = looks[-1]
    assert comparison is not None
    assert comparison.verdict is Verdict.SLOWER
    assert comparison.gate.alpha == EARLY.early * GATE.alpha
    assert comparison == judged(made(3, 2.0), EARLY, GATE, early=True)


def test_a_small_difference_waits_for_the_last_pair() -> None:
    looks = [look(made(n, 1.08), EARLY, GATE) for n in range(1, 7)]
    assert not any(each.verdict in CLEAR for each in looks if each is not None)
    assert look(made(10, 1.08), EARLY, GATE) is None
    last = judged(made(10, 1.08), EARLY, GATE)
    assert last.verdict is Verdict.SLOWER
    assert last.gate.alpha == EARLY.last * GATE.alpha


def test_a_look_before_the_last_wants_more_than_a_comparison_would() -> None:
    runs = made(5, 1.10)
    assert compare(runs, GATE).verdict is Verdict.SLOWER
    early = look(runs, EARLY, GATE)
    assert early is not None
    assert early.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_an_experiment_that_was_cut_short_is_judged_like_a_whole_one(pairs: int) -> None:
    found = judged(made(pairs, 1.12), EARLY, GATE)
    assert found.gate.alpha == EARLY.last * GATE.alpha
    assert found.exit_code == (1 if pairs == 5 else 4)


@pytest.mark.parametrize("pairs", [0, 1, 2])
def test_one_that_stopped_early_is_judged_however_few_of_its_pairs_are_left(pairs: int) -> None:
    found = judged(made(pairs, 2.0), EARLY, GATE, early=True)
    assert found.gate.alpha == EARLY.early * GATE.alpha
    assert found.exit_code == (4 if pairs else 3)


def test_a_run_that_is_not_valid_makes_no_look() -> None:
    assert look(made(3, 2.0), EARLY, GATE) is not None
    assert look(made(3, 2.0, invalid=("B1",)), EARLY, GATE) is None


def test_shown_not_to_be_slower_ends_an_experiment_too() -> None:
    found = look(made(5, 1.0), EARLY, replace(GATE, same_within=0.5))
    assert found is not None
    assert found.verdict is Verdict.NOT_SLOWER


@pytest.mark.parametrize("invalid", [("B2",), ("B2", "A3"), ("A1", "A2")])
def test_the_runs_of_an_experiment_are_judged_in_pairs_or_not_at_all(invalid: tuple[str, ...]) -> None:
    """Unpaired, three valid runs would be judged without calibration and stages."""
    runs = made(3, 3.0, invalid=invalid)
    left = 3 - len(invalid)
    found = judged(runs, EARLY, GATE)
    assert len(found.pairs) == left
    assert found.basis is (Basis.PAIRS if left > 1 else Basis.NONE)
    assert found.exit_code == (1 if left > 1 else 4)
    assert {each.name for each in found.excluded} >= set(invalid)


def test_without_a_whole_pair_there_is_nothing_to_judge() -> None:
    found = judged(made(2, 3.0, invalid=("A1", "B2")), EARLY, GATE)
    assert (found.verdict, found.exit_code) == (Verdict.NO_VALID_RUNS, 3)


# Extensions


@given(st.integers(1, 9), st.sampled_from((1.0, 2.0)))
def test_there_is_no_look_inside_an_extension(added: int, factor: float) -> None:
    """Its share of alpha is for one look, after its last pair."""
    assert look(made(4 + added, factor, planned=4), replace(EARLY, pairs=12), GATE) is None


def test_an_extension_is_judged_at_what_was_kept_for_it_with_all_its_pairs() -> None:
    plan = LookPlan(pairs=4)
    found = judged(made(9, 1.10, planned=4), plan, GATE)
    assert found.gate.alpha == pytest.approx(0.16 * GATE.alpha)
    (each,) = found.judgements
    assert each.pairs == 9
    assert found.verdict is Verdict.SLOWER


def test_stages_are_combined_and_not_thrown_together() -> None:
    """A rule that pools all pairs would let their number be chosen by what was seen."""
    apart, together = (compare(made(9, 1.05, planned=planned), GATE).judgements[0] for planned in (4, 99))
    assert apart.change == together.change
    assert apart.low != together.low
    assert apart.low is not None and apart.high is not None
    assert apart.low < apart.change < apart.high


def test_a_stage_without_two_valid_pairs_says_nothing() -> None:
    runs = made(6, 1.0, planned=4, invalid=("A5",))
    alone = judged(runs, LookPlan(pairs=4), GATE)
    assert alone.judgements[0].pairs == 5
    assert alone.judgements[0].low is not None


def test_where_no_stage_has_two_valid_pairs_nothing_can_be_told() -> None:
    found = judged(made(4, 3.0, planned=2, invalid=("A2", "A4")), LookPlan(pairs=2), GATE)
    assert found.exit_code == 4
    (each,) = found.judgements
    assert (each.pairs, each.low, each.verdict) == (2, None, Verdict.INCONCLUSIVE)
    assert each.change == pytest.approx(3, rel=0.1)


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
