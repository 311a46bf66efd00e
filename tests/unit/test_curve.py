"""The ratio at every percentile."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.compare import compare
from wsload.judge.compare.curve import ratio_curve, supported
from wsload.judge.compare.outcomes import Outcomes
from wsload.judge.compare.pairs import Basis, RunFigures, Side
from wsload.judge.figures.shape import GRID
from wsload.measure.histogram import Histogram

MS = 1_000_000


def drawn(rng: np.random.Generator, scale: float, count: int = 2_000, lost: int = 0) -> Outcomes:
    values = MS * scale * (1 + rng.exponential(size=count))
    return Outcomes.of(Histogram.of(values.astype(int).tolist()), lost=lost)


def sides(rng: np.random.Generator, b: float, runs: int = 6) -> tuple[list[Outcomes], list[Outcomes]]:
    return [drawn(rng, 1.0) for _ in range(runs)], [drawn(rng, b) for _ in range(runs)]


def test_the_grid_climbs_and_holds_the_percentiles_people_ask_for() -> None:
    assert list(GRID) == sorted(set(GRID))
    assert GRID[0] == 0
    assert {50, 75, 90, 95, 99, 99.9, 99.99} < set(GRID)
    assert GRID[-1] < 100


@given(st.integers(0, 10**6), st.integers(0, 10**5))
def test_the_curve_ends_where_the_answers_do(answered: int, lost: int) -> None:
    histogram = Histogram()
    histogram.reach(6)[5] = histogram.total = answered
    found = supported([Outcomes.of(histogram, lost=lost), Outcomes.of(Histogram.of([1_000] * 10**4))])
    attempts = answered + lost
    assert all(min(attempts, 10**4) * (100 - p) >= 100 * (1 - 1e-9) for p in found)
    assert all(p * attempts <= 100 * answered * (1 + 1e-9) or (answered >= 1 and p == 0) for p in found)
    assert not found or found == GRID[: len(found)]


@pytest.mark.parametrize("order", ["paired", "unpaired"])
def test_at_a_judged_percentile_the_curve_is_the_verdicts_estimate(order: str) -> None:
    a, b = sides(np.random.default_rng(3), 1.1, runs=6)
    if order == "unpaired":
        b = b[:1]
    runs = [
        RunFigures(name=f"{side}{at}", side=side, started_s=2 * at + place, outcomes={"open": each})
        for place, (side, every) in enumerate(zip(Side, (a, b), strict=True))
        for at, each in enumerate(every)
    ]
    comparison = compare(runs)
    points = {point.percentile: point for point in ratio_curve(a, b, basis=comparison.basis)}
    for judgement in comparison.judgements:
        point = points[50 if judgement.name.endswith("50") else 99]
        assert point.ratio == pytest.approx(judgement.change)
        assert point.baseline_ns == pytest.approx(judgement.baseline)
        assert point.candidate_ns == pytest.approx(judgement.candidate)
        assert point.low is not None and point.high is not None
        assert point.low < point.ratio < point.high
        assert point.candidate_low_ns <= point.candidate_ns * (1 + 1e-9)
        assert point.candidate_ns <= point.candidate_high_ns * (1 + 1e-9)


def test_the_interval_is_two_sided_at_its_confidence() -> None:
    a, b = sides(np.random.default_rng(6), 1.0, runs=4)
    (point,) = (each for each in ratio_curve(a, b, basis=Basis.PAIRS) if each.percentile == 50)
    logs = np.log([other.percentile(50) / one.percentile(50) for one, other in zip(a, b, strict=True)])
    reach = 3.18245 * logs.std(ddof=1) / 2  # t(0.975; 3)
    assert point.low == pytest.approx(np.exp(logs.mean() - reach), rel=1e-5)
    assert point.high == pytest.approx(np.exp(logs.mean() + reach), rel=1e-5)


def test_times_climb_along_the_curve() -> None:
    points = ratio_curve(*sides(np.random.default_rng(4), 2.0, runs=3), basis=Basis.PAIRS)
    assert len(points) > 40
    for before, after in pairwise(points):
        assert before.percentile < after.percentile
        assert before.candidate_high_ns <= after.candidate_high_ns
        assert before.baseline_ns <= after.baseline_ns


def test_without_answers_there_is_no_curve() -> None:
    empty, full = Outcomes.of(None, lost=5), Outcomes.of(Histogram.of([MS] * 100))
    assert ratio_curve([empty, full], [full, full], basis=Basis.PAIRS) == ()


def test_one_run_a_side_has_a_curve_and_no_band() -> None:
    a, b = sides(np.random.default_rng(5), 1.5, runs=1)
    for basis in (Basis.NONE, Basis.STATED):
        points = {point.percentile: point for point in ratio_curve(a, b, basis=basis)}
        assert points[50].ratio == pytest.approx(1.5, rel=0.05)
        assert (points[50].low, points[50].high) == (None, None)
