"""The ratio at every percentile."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.bootstrap import blocks_of
from wsload.judge.compare.compare import compare
from wsload.judge.compare.curve import ratio_curve, ratio_curve_within, supported
from wsload.judge.compare.pairs import PARTS, RunFigures, Side, figures_of
from wsload.judge.figures.shape import GRID
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval

MS = 1_000_000


def drawn(rng: np.random.Generator, scale: float, count: int = 2_000) -> Histogram:
    return Histogram.of((MS * scale * (1 + rng.exponential(size=count))).astype(int).tolist())


def test_the_grid_climbs_and_holds_the_percentiles_people_ask_for() -> None:
    assert list(GRID) == sorted(set(GRID))
    assert GRID[0] == 0
    assert {50, 75, 90, 95, 99, 99.9, 99.99} < set(GRID)
    assert GRID[-1] < 100


@given(st.integers(0, 10**6))
def test_the_curve_ends_where_the_samples_do(count: int) -> None:
    histogram = Histogram()
    histogram.counts[5] = histogram.total = count
    found = supported([histogram, Histogram.of([1_000] * 10**4)])
    assert all(min(count, 10**4) * (100 - p) >= 100 * (1 - 1e-9) for p in found)
    assert not found or found == GRID[: len(found)]


def test_at_a_judged_percentile_the_curve_is_the_verdicts_interval() -> None:
    rng = np.random.default_rng(3)
    pairs = [(drawn(rng, 1.0), drawn(rng, 1.1)) for _ in range(6)]
    runs = [
        RunFigures(
            name=f"{at}{side}",
            side=side,
            started_s=2 * at + (side is Side.CANDIDATE) * (-1) ** at,
            values=figures_of({"open": histogram}),
        )
        for at, pair in enumerate(pairs)
        for side, histogram in zip(Side, pair, strict=True)
    ]
    judged = {each.name: each for each in compare(runs).judgements}
    points = {point.percentile: point for point in ratio_curve(pairs)}
    for percentile in (50, 95, 99):
        point, judgement = points[percentile], judged[f"open.p{percentile}"]
        assert point.ratio == pytest.approx(judgement.ratio)
        assert point.low == pytest.approx(judgement.low)
        assert point.high == pytest.approx(judgement.high)
        assert point.baseline_ns == judgement.baseline_ns
        assert point.candidate_low_ns <= point.candidate_ns <= point.candidate_high_ns


def test_times_climb_along_the_curve() -> None:
    rng = np.random.default_rng(4)
    points = ratio_curve([(drawn(rng, 1.0), drawn(rng, 2.0)) for _ in range(3)])
    assert len(points) > 40
    for before, after in pairwise(points):
        assert before.percentile < after.percentile
        assert before.candidate_high_ns <= after.candidate_high_ns
        assert before.baseline_ns <= after.baseline_ns


def test_without_samples_there_is_no_curve() -> None:
    empty, full = Histogram(), Histogram.of([MS] * 100)
    assert ratio_curve([(empty, full), (full, full)]) == ()
    blocks = blocks_of([Interval(length_s=1.0, histograms={"open": full})], PARTS)["open"]
    assert ratio_curve_within((empty, blocks), (full, blocks)) == ()


def test_one_run_a_side_has_a_curve_of_its_seconds() -> None:
    rng = np.random.default_rng(5)
    sides = []
    for scale in (1.0, 1.5):
        seconds = [drawn(rng, scale, 200) for _ in range(20)]
        intervals = [
            Interval(start_s=at, length_s=1.0, histograms={"open": each}) for at, each in enumerate(seconds)
        ]
        sides.append((merged(seconds), blocks_of(intervals, PARTS)["open"]))
    points = {point.percentile: point for point in ratio_curve_within(sides[0], sides[1])}
    assert points[50].low < points[50].ratio < points[50].high
    assert points[50].ratio == pytest.approx(1.5, rel=0.05)
    assert points[50].ratio == pytest.approx(points[50].candidate_ns / points[50].baseline_ns)
    width = {p: math.log(points[p].high / points[p].low) for p in (50, 99.9)}
    assert 0 < width[50] < width[99.9]
