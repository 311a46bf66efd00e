"""The block bootstrap: its cutting, its ranks, its honesty about likeness in time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wsload.judge.compare.bootstrap import MOST_BLOCKS, RESAMPLES, Blocks, blocks_of, log_ratios, resampled
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval

PARTS = {"message": ("message", "message.lost")}


def second(at: float, values: list[int], length_s: float = 1.0, metric: str = "message") -> Interval:
    histograms = {metric: Histogram.of(values)} if values else {}
    return Interval(start_s=at, length_s=length_s, histograms=histograms)


def cut(rows: NDArray[np.float64]) -> Blocks:
    """Blocks of a second from an array of latencies in ns, a row a second."""
    return blocks_of((second(at, row.astype(int).tolist()) for at, row in enumerate(rows)), PARTS)["message"]


def test_a_block_is_a_second_and_holds_all_the_parts() -> None:
    intervals = [second(0, [1_000_000]), second(1, []), second(2, [3_000_000] * 2, metric="message.lost")]
    blocks = blocks_of(intervals, PARTS)["message"]
    assert blocks.counts.tolist() == [[1, 0], [0, 0], [0, 2]]
    assert blocks.edges.tolist() == Histogram.of([1_000_000, 3_000_000]).buckets()[0].tolist()
    assert blocks.filled == 2


def test_shorter_intervals_are_joined_up_to_a_second() -> None:
    intervals = [second(at / 4, [1_000_000], length_s=0.25) for at in range(8)]
    assert blocks_of(intervals, PARTS)["message"].counts.tolist() == [[4], [4]]


def test_a_metric_without_values_is_absent() -> None:
    assert blocks_of([second(0, [])], PARTS) == {}
    assert blocks_of([], PARTS) == {}


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 3 * MOST_BLOCKS))
def test_a_long_run_is_cut_into_longer_blocks_and_loses_nothing(seconds: int) -> None:
    blocks = blocks_of((second(at, [1_000 * (1 + at % 7)]) for at in range(seconds)), PARTS)["message"]
    assert len(blocks.counts) <= MOST_BLOCKS
    assert blocks.counts.sum() == seconds


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1_000, 10**9), min_size=1, max_size=40))
def test_of_seconds_that_are_all_alike_only_the_percentiles_come_out(values: list[int]) -> None:
    """Whatever is drawn is then the same run again: the ranks must be those of the histogram."""
    blocks = blocks_of((second(at, values) for at in range(12)), PARTS)["message"]
    percentiles = (1, 50, 90, 99, 99.9)
    wanted = merged([Histogram.of(values)] * 12).percentiles(percentiles)
    found = resampled(blocks, percentiles, np.random.default_rng(0))
    assert found.shape == (RESAMPLES, len(percentiles))
    assert (found == wanted).all()


def test_the_same_runs_give_the_same_interval() -> None:
    rng = np.random.default_rng(5)
    a, b = (cut(1e6 * (1 + rng.exponential(size=(20, 50)))) for _ in range(2))
    assert np.array_equal(log_ratios(a, b, [50, 99]), log_ratios(a, b, [50, 99]))


def test_the_spread_is_that_of_repeated_runs() -> None:
    """Independent latencies: the bootstrap's spread of the median is what new runs really show."""
    rng = np.random.default_rng(6)
    runs = 1e6 * (1 + rng.exponential(size=(400, 30, 100)))
    true = np.log(np.median(runs.reshape(400, -1), axis=1)).std()
    told = [np.log(resampled(cut(run), [50], rng)).std() for run in runs[:20]]
    assert np.mean(told) == pytest.approx(true, rel=0.15)


def test_latencies_alike_in_time_make_it_less_sure() -> None:
    """The same values in another order: what binomial intervals can't tell apart."""
    rng = np.random.default_rng(7)
    values = np.sort(1e6 * (1 + rng.exponential(size=6_000)))
    clustered = values.reshape(60, 100)
    shuffled = rng.permutation(values).reshape(60, 100)
    spread = [np.log(resampled(cut(rows), [95], rng)).std() for rows in (clustered, shuffled)]
    assert spread[0] > 3 * spread[1]


def test_the_longest_run_is_resampled_in_bounded_memory() -> None:
    rng = np.random.default_rng(8)
    edges = np.cumsum(rng.integers(500, 5_000, 3_000)).astype(np.int64)
    blocks = Blocks(edges=edges, counts=rng.integers(0, 5, (MOST_BLOCKS, 3_000)))
    tracemalloc.start()
    try:
        found = resampled(blocks, [50, 99], rng)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found[:, 0] < found[:, 1]).all()
    assert peak < 100e6
