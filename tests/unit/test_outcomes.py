"""What became of everything attempted, and the percentiles of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.outcomes import Outcomes, outcomes_of
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals

MS = 1_000_000
times = st.lists(st.integers(1_000, 10**9), max_size=60)
percentiles = st.sampled_from((1.0, 50.0, 90.0, 99.0, 99.9))


@given(times.filter(bool), percentiles)
def test_of_what_was_all_answered_they_are_the_histograms(values: list[int], percentile: float) -> None:
    histogram = Histogram.of(values)
    found = Outcomes.of(histogram)
    assert found.percentile(percentile) == histogram.percentile(percentile)
    assert found.attempts == found.answered == len(values)
    assert found.slowest_ns == histogram.max_ns


@given(times, st.integers(0, 30), st.integers(0, 30), percentiles)
def test_the_lost_and_failed_rank_above_every_answer(
    values: list[int], lost: int, failed: int, percentile: float
) -> None:
    found = Outcomes.of(Histogram.of(values), lost=lost, failed=failed)
    if not found.attempts:
        return
    ranked = np.sort([*map(float, values), *[math.inf] * (lost + failed)])
    true = ranked[found.rank(percentile) - 1]
    assert found.percentile(percentile) == (
        math.inf if math.isinf(true) else pytest.approx(true, rel=1e-3, abs=512)
    )
    assert found.beyond(percentile) == len(ranked) - found.rank(percentile)


@given(times.filter(bool), st.integers(1, 50), percentiles)
def test_losing_more_never_makes_a_percentile_smaller(
    values: list[int], lost: int, percentile: float
) -> None:
    before, after = (Outcomes.of(Histogram.of(values), lost=some) for some in (0, lost))
    assert after.percentile(percentile) >= before.percentile(percentile)


def run(**parts: object) -> dict[str, Outcomes]:
    return outcomes_of(Totals.of([Interval(length_s=1.0, **parts)]))


def test_parts_belong_to_their_name() -> None:
    found = run(
        histograms={
            "buy": Histogram.of([MS] * 90),
            "buy.service": Histogram.of([MS] * 90),
            "buy.lost": Histogram.of([MS] * 3),
            "buy.failed": Histogram.of([MS] * 2),
            "open": Histogram.of([MS] * 10),
        },
        failures={("buy", "timeout"): 3, ("buy", "sold out"): 2, ("open", "refused"): 5},
    )
    assert {name: (each.answered, each.lost, each.failed) for name, each in found.items()} == {
        "buy": (90, 3, 2), "buy.service": (90, 0, 0), "open": (10, 0, 5)
    }  # fmt: skip


def test_what_was_due_and_not_sent_because_the_server_had_gone_failed() -> None:
    found = run(histograms={"buy": Histogram.of([MS])}, failures={("buy", "not connected"): 7})
    assert found["buy"].failed == 7


def test_what_the_load_generator_failed_at_is_not_held_against_a_build() -> None:
    found = run(
        histograms={"buy": Histogram.of([MS])},
        failures={("buy", "load generator too late"): 9, ("open", "no free port"): 9},
    )
    assert found["buy"].failed == 0
    assert "open" not in found


def test_what_only_failed_is_there_too() -> None:
    found = run(failures={("open", "refused"): 4})
    assert (found["open"].attempts, found["open"].percentile(50), found["open"].slowest_ns) == (
        4,
        math.inf,
        0,
    )
