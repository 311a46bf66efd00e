"""The gate's decisions on one statistic and on the whole, and its own limits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.judge.compare.inference import Estimate, Evidence
from wsload.judge.compare.verdict import Decisions, Gate, decide

GATE = Gate()
MS = 1_000_000


def decided(
    percents: list[float],
    *,
    spread: float = 0.01,
    base_ms: float = 20,
    shares: list[tuple[float, float, float]] = [],  # noqa: B006
    gate: Gate = GATE,
) -> Decisions:
    """Times that differ by so many percent (ten pairs, so the bounds reach about 2 spreads), then shares:
    (baseline, candidate, error).
    """
    logs = [math.log1p(percent / 100) for percent in percents]
    baseline = np.array([base_ms * MS] * len(logs) + [a for a, _, _ in shares])
    candidate = np.array([base_ms * MS * math.exp(log) for log in logs] + [b for _, b, _ in shares])
    estimate = Estimate(
        mean=np.array(logs + [b - a for a, b, _ in shares]),
        error=np.array([spread] * len(logs) + [error for _, _, error in shares]),
        df=np.full(len(baseline), 9),
        slack=np.zeros(len(baseline)),
    )
    timed = np.arange(len(baseline)) < len(logs)
    return decide(Evidence((estimate,)), gate, baseline=baseline, candidate=candidate, timed=timed)


def word(found: Decisions, at: int = 0) -> str:
    if found.worse[at]:
        return "worse"
    return "better" if found.better[at] else "cleared" if found.cleared[at] else "open"


@pytest.mark.parametrize(
    ("percent", "said"),
    [(10, "worse"), (5.3, "worse"), (4.9, "cleared"), (0, "cleared"), (-4, "cleared"), (-10, "better")],
)
def test_slower_wants_the_lower_bound_above_the_gate(percent: float, said: str) -> None:
    assert word(decided([percent])) == said


def test_what_is_neither_far_nor_near_is_open() -> None:
    assert word(decided([5], spread=0.04)) == "open"
    assert word(decided([0], spread=0.06)) == "open"


def test_only_the_upper_bound_decides_whether_it_is_not_slower() -> None:
    """−26 to +3.5 % is not slower, for certain."""
    assert word(decided([-13], spread=0.09)) == "cleared"


@pytest.mark.parametrize(
    ("percent", "base_ms", "said"),
    [
        (65, 0.075, "open"),  # 49 µs, but it might be 52
        (60, 0.075, "cleared"),  # at most 49 µs
        (50, 0.095, "open"),  # 48 µs, at most 51
        (50, 0.15, "worse"),  # 75 µs
        (-40, 0.15, "better"),  # 60 µs
        (-25, 0.15, "cleared"),  # 38 µs
        (6, 1.64, "worse"),  # 98 µs
    ],
)
def test_a_shift_that_does_not_matter_is_no_regression(percent: float, base_ms: float, said: str) -> None:
    assert word(decided([percent], base_ms=base_ms)) == said


def test_a_correction_counts_for_slower_and_not_for_not_slower() -> None:
    assert word(decided([5.5])) == "worse"
    assert word(decided([5.5] + [0] * 11)) == "cleared"


def test_more_statistics_never_make_a_lower_bound_higher() -> None:
    alone, together = decided([6.0]), decided([6.0, 0.0, 0.0])
    assert together.low[0] < alone.low[0]
    assert together.high[0] == alone.high[0]


# Shares


@pytest.mark.parametrize(
    ("baseline", "candidate", "error", "said"),
    [
        (0.0, 0.6, 0.01, "worse"),
        (0.0, 0.002, 0.0005, "worse"),
        (0.0, 0.00005, 0.000001, "cleared"),  # surely more, and less than one in ten thousand
        (0.0, 0.002, 0.002, "open"),
        (0.01, 0.0101, 0.0003, "cleared"),
        (0.01, 0.0101, 0.002, "open"),
        (0.01, 0.0, 0.01, "cleared"),  # it lost none
        (0.5, 0.1, 0.01, "cleared"),
    ],
)
def test_failing_more_is_worse_and_failing_less_is_nothing(
    baseline: float, candidate: float, error: float, said: str
) -> None:
    assert word(decided([], shares=[(baseline, candidate, error)])) == said


def test_shares_and_times_are_judged_together() -> None:
    found = decided([5.5], shares=[(0.0, 0.01, 0.001)])
    assert [word(found, at) for at in range(2)] == ["worse", "worse"]
    assert found.level[1] < found.level[0]  # Holm: the surer one first


# The whole


def test_one_worse_fails_all_and_all_must_be_cleared_to_pass() -> None:
    assert decided([20, -20]).fail
    assert not decided([20, -20]).passes
    assert decided([0, -20]).passes
    assert not decided([0, -20]).fail
    mixed = decided([0, -20], shares=[(0.0, 0.001, 0.001)])
    assert not mixed.passes and not mixed.fail


@given(st.lists(st.floats(-50, 100), min_size=1, max_size=6), st.floats(0.001, 0.3))
def test_a_whole_never_passes_and_fails(percents: list[float], spread: float) -> None:
    found = decided(percents, spread=spread)
    assert not (found.fail and found.passes)
    assert not (found.better & found.worse).any()
    assert (found.low <= found.high).all()


@given(st.floats(-50, 100), st.floats(0.001, 0.3), st.floats(0, 0.2), st.floats(0.01, 0.5))
def test_a_stricter_gate_calls_less_slower_and_clears_less(
    percent: float, spread: float, ratio: float, within: float
) -> None:
    loose = decided([percent], spread=spread, gate=replace(GATE, ratio=ratio, same_within=within))
    strict = decided([percent], spread=spread, gate=replace(GATE, ratio=2 * ratio, same_within=within / 2))
    assert strict.worse[0] <= loose.worse[0]
    assert strict.cleared[0] <= loose.cleared[0]


# The gate's own limits


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ratio": -0.1}, "ratio must be a number from 0"),
        ({"shift_ns": math.inf}, "shift must be a number from 0"),
        ({"drift": math.nan}, "drift must be a number from 0"),
        ({"same_within": 0.0}, "'same within' must be a share above 0"),
        ({"failures_within": 0.0}, "'failures within' must be a share above 0"),
        ({"scatter": (("p99", 0.0),)}, "the scatter of p99 must be a share above 0"),
        ({"alpha": 0.0}, "false alarm must be between 0 and 0.5"),
        ({"alpha": 0.5}, "false alarm must be between 0 and 0.5"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Gate(**changes)  # type: ignore[arg-type]


def test_a_scatter_is_looked_up_from_the_particular_to_the_general() -> None:
    gate = Gate(scatter=(("", 0.1), ("p99", 0.3), ("message.p99", 0.2)))
    found = [gate.scatter_of(name) for name in ("message.p99", "open.p99", "open.p50")]
    assert found == [0.2, 0.3, 0.1]
    assert Gate().scatter_of("open.p50") is None


@pytest.mark.parametrize("metric", ["message", "log in", "v1.2", "odd.p7"])
@pytest.mark.parametrize("percentile", ["p50", "p99.9", "p99.99"])
def test_a_scatter_of_any_percentile_of_any_name_is_found(metric: str, percentile: str) -> None:
    assert Gate(scatter=((percentile, 0.2),)).scatter_of(f"{metric}.{percentile}") == 0.2
    assert Gate(scatter=(("p9", 0.2), ("9", 0.2), ("", 0.1))).scatter_of(f"{metric}.{percentile}") == 0.1
