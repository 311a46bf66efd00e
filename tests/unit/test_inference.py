"""Student's t against printed tables, and the laws of the interval and of Holm's correction."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.inference import LARGE_DF, Estimate, holm_levels, t_cdf, t_quantile

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


def test_without_degrees_of_freedom_it_is_the_normal_distribution() -> None:
    assert [round(t_quantile(1 - tail, None), 3) for tail in TAILS] == list(NIST_NORMAL)


@pytest.mark.parametrize(("df", "value"), FEDERIGHI.items())
def test_far_quantiles_are_those_of_federighis_table(df: int, value: float) -> None:
    assert round(t_quantile(0.9995, df), 3) == value


@given(probabilities, degrees)
def test_the_quantile_is_the_inverse_of_the_distribution_function(p: float, df: int) -> None:
    assert t_cdf(t_quantile(p, df), df) == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(st.floats(-1e6, 1e6), degrees)
def test_t_is_symmetric(t: float, df: int) -> None:
    assert t_cdf(t, df) + t_cdf(-t, df) == pytest.approx(1, abs=1e-12)


@given(probabilities.filter(lambda p: p > 0.6), st.integers(1, 199))
def test_tails_thin_out_with_the_degrees_of_freedom(p: float, df: int) -> None:
    assert t_quantile(p, df) > t_quantile(p, df + 1) > t_quantile(p, None)


def test_the_step_to_the_normal_distribution_is_small() -> None:
    assert t_quantile(0.999, LARGE_DF) == pytest.approx(t_quantile(0.999, LARGE_DF + 1), rel=5e-3)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, math.nan])
def test_a_quantile_of_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_quantile(p, 9)


def test_the_interval_of_a_worked_example() -> None:
    # Ten values of mean 5 and deviation 2: 5 ± 2.262 · 2 / √10.
    low, high = Estimate(mean=5, error=2 / math.sqrt(10), df=9).interval(0.05)
    assert (round(low, 3), round(high, 3)) == (3.569, 6.431)


estimates = st.builds(
    Estimate,
    mean=st.floats(-2, 2),
    error=st.floats(1e-3, 1),
    df=st.integers(1, 50) | st.none(),
    slack=st.floats(0, 0.1),
)


@given(estimates, st.floats(0, 0.5), st.floats(1e-4, 0.5))
def test_the_p_value_says_what_the_interval_says(estimate: Estimate, limit: float, alpha: float) -> None:
    low, high = estimate.interval(alpha)
    clear = max(low - limit, -limit - high)
    if abs(clear) > 1e-9:
        assert (estimate.p_beyond(limit) < alpha) == (clear > 0)


@given(estimates)
def test_slack_moves_both_ends_out(estimate: Estimate) -> None:
    bare = Estimate(mean=estimate.mean, error=estimate.error, df=estimate.df)
    (low, high), (bare_low, bare_high) = estimate.interval(0.05), bare.interval(0.05)
    assert bare_low - low == pytest.approx(estimate.slack)
    assert high - bare_high == pytest.approx(estimate.slack)


def test_holm_on_a_worked_example() -> None:
    # 0.01 < 0.05/4; 0.02 is not below 0.05/3: it and all that follow stay.
    p_values = {"a": 0.01, "b": 0.04, "c": 0.02, "d": 0.03}
    levels = holm_levels(p_values, 0.05)
    assert levels == {name: pytest.approx(0.05 / (4 if name == "a" else 3)) for name in p_values}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=12), st.floats(0.001, 0.5))
def test_holm_lies_between_bonferroni_and_no_correction(p_values: dict[str, float], alpha: float) -> None:
    levels = holm_levels(p_values, alpha)
    assert levels.keys() == p_values.keys()
    rejected = {name for name, p in p_values.items() if p < levels[name]}
    bonferroni = {name for name, p in p_values.items() if p < alpha / max(len(p_values), 1)}
    assert bonferroni <= rejected <= {name for name, p in p_values.items() if p < alpha}
    assert bool(rejected) == bool(bonferroni)
    assert all(p_values[kept] >= p_values[name] for name in rejected for kept in p_values.keys() - rejected)
