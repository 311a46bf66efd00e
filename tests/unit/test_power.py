"""Power of the gate, against simulation and limits, and the number of pairs that follows from it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.judge.compare.estimates import over_pairs
from wsload.judge.compare.inference import NORMAL, Evidence, t_quantile
from wsload.judge.compare.power import (
    PAIR_DEVIATION,
    STATISTICS,
    NextStage,
    chance,
    expected,
    more_pairs,
    pairs_about,
    pairs_for_power,
    pairs_needed,
    power_of,
)
from wsload.judge.compare.sequential import LookPlan
from wsload.judge.compare.verdict import Decisions, Gate, Judgement, Verdict, decide

ONE = Gate(judged=("message.p99",))
MS = 1_000_000


def test_ten_pairs_find_ten_percent_in_four_cases_of_five() -> None:
    assert power_of(0.10, 10, ONE) == pytest.approx(0.83, abs=0.02)
    assert power_of(0.10, 5, ONE) == pytest.approx(0.48, abs=0.02)


@pytest.mark.parametrize(("distance", "pairs"), [(1.5, 3), (0.5, 10), (0.3, 40)])
def test_the_chance_is_how_often_the_bound_clears_the_limit(distance: float, pairs: int) -> None:
    drawn = np.random.default_rng(1).normal(distance, 1.0, (40_000, pairs))
    error = drawn.std(axis=1, ddof=1) / math.sqrt(pairs)
    clear = drawn.mean(axis=1) - t_quantile(0.975, pairs - 1) * error > 0
    assert chance(distance, pairs, 1.0, 0.025) == pytest.approx(clear.mean(), abs=0.01)


@pytest.mark.parametrize("pairs", [2, 3, 10, 100])
def test_at_the_limit_itself_the_chance_is_the_level(pairs: int) -> None:
    assert chance(0.0, pairs, 1.0, 0.025) == pytest.approx(0.025, abs=1e-4)


def test_with_many_pairs_it_is_the_normal_one() -> None:
    normal = NORMAL.cdf(0.1 * math.sqrt(2000) - NORMAL.inv_cdf(0.975))
    assert chance(0.1, 2000, 1.0, 0.025) == pytest.approx(normal, abs=1e-3)


distances = st.floats(0.01, 0.5)
ABOUT = 3
"""How far off the closed form may be."""


@settings(deadline=None)
@given(distances, st.sampled_from((0.5, 0.8, 0.9)), st.sampled_from((0.025, 0.025 / 12)))
def test_the_number_of_pairs_is_the_least_that_has_the_power(
    distance: float, power: float, level: float
) -> None:
    pairs = pairs_needed(distance, power=power, deviation=PAIR_DEVIATION, level=level)
    assert pairs is not None
    assert chance(distance, pairs, PAIR_DEVIATION, level) >= power
    assert pairs == 2 or chance(distance, pairs - 1, PAIR_DEVIATION, level) < power
    about = pairs_about(distance, NORMAL.inv_cdf(1 - level), power=power, deviation=PAIR_DEVIATION)
    assert about == pytest.approx(pairs, abs=ABOUT, rel=0.02)


def test_pairs_for_a_plan() -> None:
    assert pairs_for_power(0.10, ONE) == 10
    assert pairs_for_power(0.50, ONE) == 3
    assert pairs_for_power(0.10, Gate()) > pairs_for_power(0.10, ONE)
    assert pairs_for_power(0.10, ONE, deviation=0.02) < pairs_for_power(0.10, ONE)
    assert pairs_for_power(0.10, replace(ONE, ratio=0.0)) < pairs_for_power(0.10, ONE)
    assert pairs_for_power(0.10, ONE, power=0.95) > pairs_for_power(0.10, ONE)


@pytest.mark.parametrize(
    ("judged", "number"), [((), STATISTICS), (("message",), 2), (("message.p50", "log in.p99.9", "buy"), 4)]
)
def test_how_many_statistics_a_plan_expects(judged: tuple[str, ...], number: int) -> None:
    assert expected(Gate(judged=judged)) == number


def test_no_distance_and_no_end_are_no_number() -> None:
    assert pairs_needed(0.0, power=0.8, deviation=0.07, level=0.05) is None
    assert pairs_needed(1e-4, power=0.8, deviation=0.07, level=0.05) is None


@pytest.mark.parametrize(
    ("effect", "power", "said"),
    [
        (0.03, 0.8, "a change of 3 % can't be detected, because only more than 3 %"),
        (-0.1, 0.8, "a change of -10 % can't be detected"),
        (0.0301, 0.8, "more than 10,000 pairs"),
        (0.10, 1.0, "between 0 and 100 %, not at 100 %"),
    ],
)
def test_what_cannot_be_planned_is_refused(effect: float, power: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pairs_for_power(effect, ONE, power=power)


# More pairs for what is inconclusive


def inconclusive(change: float, *, deviation: float = 0.07, **changes: object) -> Judgement:
    judgement = Judgement(
        name="message.p50", is_share=False, baseline=20 * MS, candidate=20 * MS * change, change=change,
        pairs=4, verdict=Verdict.INCONCLUSIVE, low=0.5, high=2.0, level=0.04, deviation=deviation,
    )  # fmt: skip
    return replace(judgement, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("change", "level", "distance"), [(1.0, 0.05, 0.0953), (1.15, 0.04, 0.1102)])
def test_so_many_more_pairs_would_tell_in_four_cases_of_five(
    change: float, level: float, distance: float
) -> None:
    more = more_pairs(inconclusive(change), ONE)
    assert more is not None
    assert chance(distance, 4 + more, 0.07, level) == pytest.approx(0.8, abs=0.12)


def test_of_a_share_too() -> None:
    lost = inconclusive(0.002, is_share=True, baseline=0.0, candidate=0.002, deviation=0.003)
    more = more_pairs(lost, ONE)
    assert more is not None
    about = pairs_about(0.002, NORMAL.inv_cdf(0.96), power=0.8, deviation=0.003)
    assert 4 + more == pytest.approx(about, abs=1)


@pytest.mark.parametrize(
    "judgement",
    [
        inconclusive(1.0, verdict=Verdict.SLOWER),
        inconclusive(1.0, deviation=None),
        inconclusive(1.0305, deviation=5.0),
    ],
)
def test_where_no_number_is_advice_there_is_none(judgement: Judgement) -> None:
    assert more_pairs(judgement, ONE) is None


@pytest.mark.parametrize(("true", "scatter"), [(0.0, 0.2), (0.08, 0.1), (0.13, 0.2), (0.05, 0.08)])
def test_so_many_pairs_added_as_a_stage_of_their_own_tell_in_four_cases_of_five(
    true: float, scatter: float
) -> None:
    """Experiments whose first stage shows exactly the truth, and a second one drawn at random."""
    plan, rng, tried, told = LookPlan(), np.random.default_rng(3), 400, 0
    drawn = rng.normal(size=10)
    first = math.log1p(true) + scatter * (drawn - drawn.mean()) / drawn.std(ddof=1)
    gate = replace(ONE, alpha=plan.last * ONE.alpha)
    later = replace(ONE, alpha=plan.extension(1) * ONE.alpha)

    def judged(differences: list[float], stages: list[int], gate: Gate) -> tuple[Decisions, Evidence]:
        evidence, _ = over_pairs(np.array(differences)[:, None], least=0.001, stages=stages)
        level = np.array([20.0 * MS])
        return decide(
            evidence, gate, baseline=level, candidate=level * math.exp(np.mean(differences))
        ), evidence

    found, evidence = judged(list(first), [0] * 10, gate)
    assert not (found.fail or found.passes)
    more = more_pairs(
        inconclusive(1 + true, deviation=scatter, pairs=10, level=float(found.level[0])),
        gate,
        NextStage(
            share=plan.extension(1) / plan.last,
            stages=1,
            worse=float(evidence.score_above(math.log1p(gate.ratio))[0]),
            cleared=float(evidence.score_below(math.log1p(gate.same_within))[0]),
        ),
    )
    assert more is not None
    for _ in range(tried):
        second = rng.normal(math.log1p(true), scatter, size=more)
        found, _ = judged([*first, *second], [0] * 10 + [1] * more, later)
        told += bool(found.fail or found.passes)
    assert told / tried == pytest.approx(0.8, abs=0.1)
