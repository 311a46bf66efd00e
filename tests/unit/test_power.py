"""Power of the gate, against simulation and limits, and the number of pairs that follows from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.judge.compare.inference import NORMAL, t_quantile
from wsload.judge.compare.power import (
    PAIR_DEVIATION,
    chance,
    pairs_about,
    pairs_for_power,
    pairs_needed,
    power_of,
)


def test_the_default_deviation_is_the_one_that_was_calibrated() -> None:
    assert power_of(0.10, 10) == pytest.approx(0.75, abs=0.02)
    assert power_of(0.10, 5) == pytest.approx(0.38, abs=0.02)


@pytest.mark.parametrize(("distance", "pairs"), [(1.5, 3), (0.5, 10), (0.3, 40)])
def test_the_chance_is_how_often_the_interval_clears_the_limit(distance: float, pairs: int) -> None:
    drawn = np.random.default_rng(1).normal(distance, 1.0, (40_000, pairs))
    error = drawn.std(axis=1, ddof=1) / math.sqrt(pairs)
    clear = drawn.mean(axis=1) - t_quantile(0.975, pairs - 1) * error > 0
    assert chance(distance, pairs, 1.0, 0.05) == pytest.approx(clear.mean(), abs=0.01)


@pytest.mark.parametrize("pairs", [2, 3, 10, 100])
def test_at_the_limit_itself_the_chance_is_half_of_alpha(pairs: int) -> None:
    assert chance(0.0, pairs, 1.0, 0.05) == pytest.approx(0.025, abs=1e-4)


def test_with_many_pairs_it_is_the_normal_one() -> None:
    normal = NORMAL.cdf(0.1 * math.sqrt(2000) - NORMAL.inv_cdf(0.975))
    assert chance(0.1, 2000, 1.0, 0.05) == pytest.approx(normal, abs=1e-3)


distances = st.floats(0.01, 0.5)
ABOUT = 3
"""How far off the closed form may be."""


@settings(deadline=None)
@given(distances, st.sampled_from((0.5, 0.8, 0.9)), st.sampled_from((0.05, 0.05 / 12)))
def test_the_number_of_pairs_is_the_least_that_has_the_power(
    distance: float, power: float, alpha: float
) -> None:
    pairs = pairs_needed(distance, power=power, deviation=PAIR_DEVIATION, alpha=alpha)
    assert pairs is not None
    assert chance(distance, pairs, PAIR_DEVIATION, alpha) >= power
    assert pairs == 2 or chance(distance, pairs - 1, PAIR_DEVIATION, alpha) < power
    about = pairs_about(distance, power=power, deviation=PAIR_DEVIATION, alpha=alpha)
    assert about == pytest.approx(pairs, abs=ABOUT, rel=0.02)


def test_pairs_for_a_plan() -> None:
    assert pairs_for_power(0.10) == 11
    assert pairs_for_power(0.50) == 3
    assert pairs_for_power(0.10, metrics=12) > pairs_for_power(0.10)
    assert pairs_for_power(0.10, deviation=0.02) < pairs_for_power(0.10)
    assert pairs_for_power(0.10, gate=0.0) < pairs_for_power(0.10)
    assert pairs_for_power(0.10, 0.95) > pairs_for_power(0.10)


def test_no_distance_and_no_end_are_no_number() -> None:
    assert pairs_needed(0.0, power=0.8, deviation=0.07, alpha=0.05) is None
    assert pairs_needed(1e-4, power=0.8, deviation=0.07, alpha=0.05) is None


@pytest.mark.parametrize(
    ("effect", "power", "said"),
    [
        (0.03, 0.8, "a change of 3 % can't be found by a gate of 3 %"),
        (-0.1, 0.8, "a change of -10 % can't be found"),
        (0.0301, 0.8, "more than 10,000 pairs"),
        (0.10, 1.0, "between 0 and 100 %, not at 100 %"),
    ],
)
def test_what_cannot_be_planned_is_refused(effect: float, power: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        pairs_for_power(effect, power)
