"""What A and A differ by: chance is seldom taken for a bias, and a real one is found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.estimates import SEEN, bias, mean_of

STATISTICS = 6


@pytest.mark.parametrize("pairs", [1, 2, 5])
@pytest.mark.parametrize("others", [3, 10])
def test_chance_is_seldom_taken_for_a_bias(pairs: int, others: int) -> None:
    rng = np.random.default_rng([pairs, others])
    wrong = 0
    for _ in range(4_000):
        known = rng.normal(size=(others, STATISTICS))
        found = bias(
            rng.normal(size=(pairs, STATISTICS)),
            deviation=known.std(axis=0, ddof=1),
            df=np.full(STATISTICS, others - 1),
        )
        wrong += bool(found.any())
    # The estimated level, beside twice the error of counting so many.
    assert wrong / 4_000 <= SEEN + 2 * math.sqrt(SEEN / 4_000)


def test_a_bias_is_counted_in_full_in_every_statistic_once_one_is_beyond_chance() -> None:
    differences = np.array([[0.30, 0.01, -0.4], [0.34, -0.02, np.nan]])
    found = bias(differences, deviation=np.full(3, 0.03), df=np.full(3, 9))
    assert found == pytest.approx([0.32, 0.005, 0.4])
    assert not bias(differences[:, 1:2], deviation=np.full(1, 0.03), df=np.full(1, 9)).any()


@given(shift=st.floats(-1, 1), deviation=st.floats(0.001, 0.5), pairs=st.integers(0, 4))
def test_it_is_nothing_or_all_of_what_was_seen_in_either_direction(
    shift: float, deviation: float, pairs: int
) -> None:
    one = np.full((pairs, 1), shift)
    (found,), (other,) = (
        bias(each, deviation=np.array([deviation]), df=np.array([9])) for each in (one, -one)
    )
    assert found == other
    assert found in (0.0, pytest.approx(abs(shift)))


def test_without_calibration_nothing_is_known() -> None:
    nothing = np.empty((0, 2))
    assert bias(nothing, deviation=np.ones(2), df=np.full(2, 9)).tolist() == [0.0, 0.0]
    assert np.isnan(mean_of(nothing)).all()
