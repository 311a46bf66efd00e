"""From runs to estimates: what counting leaves to chance, whose runs vouch for a percentile, what is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_figures import made

from wsload.judge.compare.compare import compare
from wsload.judge.compare.estimates import as_stated, counting_deviation, measure, over_pairs, over_runs
from wsload.judge.compare.pairs import Basis, RunFigures, design
from wsload.judge.compare.verdict import Gate


def test_shares_are_never_taken_to_scatter_less_than_counting_does() -> None:
    """Ten pairs that lose exactly one of 1,000 each time, and none, are not infinitely sure."""
    deviation = counting_deviation(np.array(10.0), np.array(10_000.0), np.array(10_000.0), 10)
    share = 11 / 20_002
    assert float(deviation) == pytest.approx(math.sqrt(10 * share * (1 - share) * 2 / 10_000))
    evidence, _ = over_pairs(np.full((10, 1), 0.001), least=deviation)
    assert evidence.at_least(0.025)[0] == pytest.approx(
        0.001 - 2.262 * float(deviation) / math.sqrt(10), rel=1e-3
    )


def test_counting_nothing_or_everything_is_not_certain() -> None:
    none, every = (
        float(counting_deviation(np.array(h), np.array(50.0), np.array(50.0), 5)) for h in (0.0, 100.0)
    )
    assert none == pytest.approx(every)
    assert none > 0
    assert float(counting_deviation(np.array(0.0), np.array(0.0), np.array(0.0), 1)) > 0


def test_unpaired_runs_share_one_deviation() -> None:
    """Two samples with pooled variance: (1, 3, 5) and (6, 8) differ by 4 ± t(3) · s · √(1/3 + 1/2)."""
    a, b = np.array([[1.0], [3.0], [5.0]]), np.array([[6.0], [8.0]])
    evidence, deviation = over_runs(a, b, least=np.zeros(1), slack=np.zeros(1))
    pooled = math.sqrt((8 + 2) / 3)
    assert deviation[0] == pytest.approx(math.sqrt(2) * pooled)
    assert evidence.at_least(0.025)[0] == pytest.approx(
        4 - 3.182 * pooled * math.sqrt(1 / 3 + 1 / 2), rel=1e-3
    )


def test_unpaired_runs_are_estimated_statistic_by_statistic() -> None:
    a = np.array([[1.0, 7.0], [3.0, 7.5], [5.0, math.nan]])
    b = np.array([[6.0, 9.0], [8.0, 8.0]])
    together, deviations = over_runs(a, b, least=np.zeros(2), slack=np.zeros(2))
    for at in range(2):
        column = a[:, at : at + 1]
        alone, deviation = over_runs(
            column[~np.isnan(column)][:, None], b[:, at : at + 1], least=np.zeros(1), slack=np.zeros(1)
        )
        assert deviations[at] == pytest.approx(deviation[0])
        assert together.at_least(0.05)[at] == pytest.approx(alone.at_least(0.05)[0])


def test_unpaired_runs_that_agree_scatter_by_what_is_least_believed() -> None:
    same = np.array([[1.0], [1.0]])
    _, deviation = over_runs(same, same, least=np.array([0.1]), slack=np.zeros(1))
    assert deviation[0] == pytest.approx(0.1)


def test_a_stated_scatter_is_that_of_one_run() -> None:
    evidence, deviation = as_stated(
        np.array([[1.0]]), np.array([[1.5]]), np.array([0.1]), least=np.zeros(1), slack=np.array([0.05])
    )
    assert deviation[0] == pytest.approx(0.1 * math.sqrt(2))
    assert evidence.at_most(0.025)[0] == pytest.approx(1.5 - 1 + 0.05 + 1.96 * 0.1 * math.sqrt(2), rel=1e-3)


# Whose runs vouch for a percentile


def judged(runs: list[RunFigures]) -> dict[str, int]:
    return {each.name: each.pairs for each in compare(runs).judgements}


@pytest.mark.parametrize(
    ("order", "bad", "pairs"),
    [
        ("ABBAABBA", set(), 4),
        ("ABBAABBA", {0, 1}, 3),
        ("ABBAABBA", {0, 3}, 2),
        ("ABBAABBA", {0, 3, 5}, None),  # one pair of four is left
        ("ABBAABBAABBA", {0, 3, 5, 7}, None),  # two of six
        ("ABBAABBAABBA", {0, 3, 5}, 3),
        ("ABBA", {0}, None),  # fewer than two
        ("AAAAB", {0, 1}, 1),
        ("AAAAB", {0, 1, 2}, None),
        ("AAAAB", {4}, None),
        ("AB", {1}, None),
    ],
)
def test_so_many_runs_must_vouch(order: str, bad: set[int], pairs: int | None) -> None:
    def trusted(letter: str, at: int) -> Mapping[str, float]:
        return {"message": 95.0} if at in bad else {"message": 99.0}  # just so far is far enough

    found = judged(made(order, trusted=trusted))
    assert found.get("message.p99") == pairs
    assert "message.p50" in found


def test_a_share_shows_both_sides_and_their_difference_with_and_without_a_scatter() -> None:
    for order in ("ABBA", "AB"):
        runs = made(order, lost=lambda letter, at: 8 if letter == "A" else 16)
        (lost,) = (each for each in compare(runs).judgements if each.name == "message.lost")
        assert (lost.baseline, lost.candidate) == (pytest.approx(8 / 2_008), pytest.approx(16 / 2_016))
        assert lost.change == pytest.approx(lost.candidate - lost.baseline)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 500))
def test_the_error_of_a_share_is_at_least_that_of_counting(n_a: int, n_b: int, attempts: int) -> None:
    """However many runs the sides have; none of which lost or failed at anything."""
    runs = made("A" * n_a + "B" * n_b, metrics=("message",), answered=attempts)
    chosen = design(runs)
    assert chosen is not None
    if chosen.basis not in (Basis.RUNS, Basis.PAIRS):
        return
    measured, _ = measure(chosen, Gate(judged=("message.lost",)))
    assert measured.evidence is not None
    (error,) = measured.evidence.stages[0].error
    a, b = (len(side) * attempts for side in (chosen.baseline, chosen.candidate))
    share = 1 / (a + b + 2)
    assert error == pytest.approx(math.sqrt(share * (1 - share) * (1 / a + 1 / b)))
