"""Student's t against printed tables, and the laws of bounds, of combined stages and of Holm's correction."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsload.judge.compare.inference import (
    KNOWN,
    LARGE_DF,
    LARGEST_RATIO,
    Estimate,
    Evidence,
    as_ratio,
    holm_levels,
    t_cdf,
    t_quantile,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2: upper critical values.
TAILS = (0.10, 0.05, 0.025, 0.01, 0.005)
NIST = {
    1: (3.078, 6.314, 12.706, 31.821, 63.657),
    2: (1.886, 2.920, 4.303, 6.965, 9.925),
    3: (1.638, 2.353, 3.182, 4.541, 5.841),
    4: (1.533, 2.132, 2.776, 3.747, 4.604),
    5: (1.476, 2.015, 2.571, 3.365, 4.032),
    9: (1.383, 1.833, 2.262, 2.821, 3.250),
    10: (1.372, 1.812, 2.228, 2.764, 3.169),
    19: (1.328, 1.729, 2.093, 2.539, 2.861),
    30: (1.310, 1.697, 2.042, 2.457, 2.750),
    100: (1.290, 1.660, 1.984, 2.364, 2.626),
}
NIST_NORMAL = (1.282, 1.645, 1.960, 2.326, 2.576)
# E. Federighi, Journal of the American Statistical Association 54 (1959): the upper 0.0005.
FEDERIGHI = {3: 12.924, 4: 8.610, 5: 6.869, 6: 5.959, 7: 5.408, 8: 5.041, 9: 4.781, 10: 4.587}

degrees = st.integers(1, 200)
probabilities = st.floats(1e-6, 1 - 1e-6)


@pytest.mark.parametrize(("df", "row"), NIST.items())
def test_quantiles_are_those_of_the_nist_table(df: int, row: tuple[float, ...]) -> None:
    assert [round(t_quantile(1 - tail, df), 3) for tail in TAILS] == list(row)


def test_with_a_known_error_it_is_the_normal_distribution() -> None:
    assert [round(t_quantile(1 - tail, KNOWN), 3) for tail in TAILS] == list(NIST_NORMAL)


@pytest.mark.parametrize(("df", "value"), FEDERIGHI.items())
def test_far_quantiles_are_those_of_federighis_table(df: int, value: float) -> None:
    assert round(t_quantile(0.9995, df), 3) == value


@given(probabilities, degrees)
def test_the_quantile_is_the_inverse_of_the_distribution_function(p: float, df: int) -> None:
    assert float(t_cdf(t_quantile(p, df), df)) == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(st.floats(-1e6, 1e6), degrees)
def test_t_is_symmetric(t: float, df: int) -> None:
    assert float(t_cdf(t, df) + t_cdf(-t, df)) == pytest.approx(1, abs=1e-12)


@given(probabilities.filter(lambda p: p > 0.6), st.integers(1, 199))
def test_tails_thin_out_with_the_degrees_of_freedom(p: float, df: int) -> None:
    assert t_quantile(p, df) > t_quantile(p, df + 1) > t_quantile(p, KNOWN)


def test_the_step_to_the_normal_distribution_is_small() -> None:
    assert t_quantile(0.999, LARGE_DF) == pytest.approx(t_quantile(0.999, LARGE_DF + 1), rel=5e-3)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_a_quantile_of_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(p, 9)


def test_arrays_are_taken_entry_by_entry() -> None:
    values = np.array([[-2.0, 0.0], [1.0, 3.0]])
    for df in (1, 2, 9, KNOWN):
        assert t_cdf(values, df).tolist() == [[float(t_cdf(v, df)) for v in row] for row in values.tolist()]


def test_ratios_beyond_reason_are_cut() -> None:
    assert as_ratio(800) == pytest.approx(LARGEST_RATIO)
    assert as_ratio(-800) == pytest.approx(1 / LARGEST_RATIO)
    assert as_ratio(math.log(2)) == pytest.approx(2)


# Estimates


def known(mean: float, error: float = 1.0, df: int = 9, slack: float = 0.0) -> Estimate:
    return Estimate(
        mean=np.array([mean]), error=np.array([error]), df=np.array([df]), slack=np.array([slack])
    )


def test_the_bounds_of_a_worked_example() -> None:
    # Ten values of mean 5 and deviation 2: 5 ± 2.262 · 2 / √10, each bound at 2.5 %.
    evidence = Evidence((known(5, 2 / math.sqrt(10)),))
    assert round(float(evidence.at_least(0.025)[0]), 3) == 3.569
    assert round(float(evidence.at_most(0.025)[0]), 3) == 6.431


def test_repeated_values_become_an_estimate_and_gaps_are_passed_over() -> None:
    values = np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 20.0], [6.0, 30.0]])
    found = Estimate.of(values, axis=0)
    assert found.mean.tolist() == [3.0, 20.0]
    assert found.df.tolist() == [3, 2]
    assert found.deviation == pytest.approx([np.std([1, 2, 3, 6], ddof=1), 10.0])
    assert found.error == pytest.approx([np.std([1, 2, 3, 6], ddof=1) / 2, 10 / math.sqrt(3)])


def test_the_deviation_has_a_floor() -> None:
    assert Estimate.of(np.ones((4, 1)), axis=0, least=0.5).error.tolist() == [0.25]


estimates = st.builds(
    known, st.floats(-2, 2), st.floats(1e-3, 1), st.integers(1, 50) | st.just(KNOWN), st.floats(0, 0.1)
)
levels = st.floats(1e-4, 0.4)


@given(st.lists(estimates, min_size=1, max_size=3), st.floats(-0.5, 0.5), levels)
def test_the_p_values_say_what_the_bounds_say(stages: list[Estimate], limit: float, level: float) -> None:
    evidence = Evidence(tuple(stages))
    for p, clear in (
        (evidence.p_above(limit), evidence.at_least(level) - limit),
        (evidence.p_below(limit), limit - evidence.at_most(level)),
    ):
        if abs(clear[0]) > 1e-6:
            assert (p[0] < level) == (clear[0] > 0)


@given(estimates, levels)
def test_slack_moves_both_bounds_out(estimate: Estimate, level: float) -> None:
    bare = Evidence((known(estimate.mean[0], estimate.error[0], int(estimate.df[0])),))
    evidence, slack = Evidence((estimate,)), float(estimate.slack[0])
    assert (bare.at_least(level) - evidence.at_least(level))[0] == pytest.approx(slack, abs=1e-12)
    assert (evidence.at_most(level) - bare.at_most(level))[0] == pytest.approx(slack, abs=1e-12)


# Stages


def test_two_equal_stages_of_known_error_are_as_good_as_their_mean() -> None:
    """Z = (z1 + z2) / √2: equal weights are the pooled ones where the stages are equal."""
    combined = Evidence((known(0.3, 0.2, KNOWN), known(0.5, 0.2, KNOWN)))
    pooled = Evidence((known(0.4, 0.2 / math.sqrt(2), KNOWN),))
    assert combined.p_above(0.1)[0] == pytest.approx(pooled.p_above(0.1)[0])
    assert combined.at_least(0.05)[0] == pytest.approx(pooled.at_least(0.05)[0], abs=1e-9)
    assert combined.at_most(0.05)[0] == pytest.approx(pooled.at_most(0.05)[0], abs=1e-9)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_combined_p_values_are_uniform_however_the_second_stage_was_chosen(seed: int) -> None:
    """Its size depends on the first stage: pooling as if it had been planned would not be uniform."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(10, 4_000))
    score = first.mean(axis=0) / first.std(axis=0) * math.sqrt(10)
    p_values = np.empty(4_000)
    for size, which in ((4, score > 1.0), (20, score <= 1.0)):
        second = rng.normal(size=(size, int(which.sum())))
        stages = (Estimate.of(first[:, which], axis=0), Estimate.of(second, axis=0))
        p_values[which] = Evidence(stages).p_above(0.0)
    for level in (0.01, 0.05, 0.2):
        spread = math.sqrt(level * (1 - level) / 4_000)
        assert np.mean(p_values < level) == pytest.approx(level, abs=5 * spread)


def test_far_out_scores_stay_numbers() -> None:
    evidence = Evidence((known(50, 0.01, KNOWN), known(-50, 0.01, KNOWN)))
    assert evidence.p_above(0.0)[0] == pytest.approx(0.5, abs=1e-3)
    assert 0 <= evidence.p_above(-60)[0] < 1e-12


# Holm


def test_holm_on_a_worked_example() -> None:
    # 0.01 < 0.05/4; 0.02 is not below 0.05/3: it and all that follow stay.
    found = holm_levels(np.array([0.01, 0.04, 0.02, 0.03]), 0.05)
    assert found == pytest.approx([0.05 / 4, 0.05 / 3, 0.05 / 3, 0.05 / 3])


def test_holm_rejects_all_in_steps() -> None:
    assert holm_levels(np.array([0.001, 0.02, 0.04]), 0.05) == pytest.approx([0.05 / 3, 0.025, 0.05])


p_lists = st.lists(st.floats(0, 1), max_size=12).map(np.array)


@given(p_lists, st.floats(0.001, 0.5))
def test_holm_lies_between_bonferroni_and_no_correction(p_values: np.ndarray, alpha: float) -> None:
    rejected = p_values < holm_levels(p_values, alpha)
    bonferroni = p_values < alpha / max(len(p_values), 1)
    assert (bonferroni <= rejected).all()
    assert (rejected <= (p_values < alpha)).all()
    assert rejected.any() == bonferroni.any()
    if rejected.any() and not rejected.all():
        assert p_values[rejected].max() <= p_values[~rejected].min()


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_holm_judges_each_row_of_many_by_itself(rows: list[list[float]]) -> None:
    p_values = np.array(rows)
    whole = holm_levels(p_values, 0.05)
    assert whole.tolist() == [holm_levels(row, 0.05).tolist() for row in p_values]
