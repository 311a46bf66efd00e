"""What is trusted is true, however the load generator is held up: one run of each kind; `benchmarks.trust` makes many.

``pytest -n0 -s tests/truth/test_trust.py`` prints the verdicts. What a kind of trouble leaves trusted depends on the
machine and on chance; that it is right must not.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.trust.run import KINDS, WORKLOADS, compare, run
from wsload.judge.run.trust import TRUST_PERCENTILES
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.results.trust import Standing, Trust

pytestmark = [
    pytest.mark.xdist_group("timing"),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are bound to cores"),
]

MIN_POSTS = 30
"""Fewer would mean that hardly anything ran."""


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_trusted_percentile_is_within_a_tenth_or_a_millisecond_of_the_servers_account(
    kind: str, workload: str
) -> None:
    result = run(KINDS[kind], workload)
    print(f"{kind}, {workload}: {result.verdict}; {result.trusted} trusted, {result.hidden} wrong hidden")
    assert result.wrong == ()
    assert result.posts >= MIN_POSTS


def test_the_comparison_finds_what_is_wrong_and_what_was_hidden() -> None:
    truth = np.full(1_000, 5_000_000)
    found = Histogram.of([5_000_000] * 980 + [50_000_000] * 20)
    totals = Totals.of([Interval(length_s=1.0, histograms={"message": found, "message.service": found})])
    blind = compare(Trust(standing=Standing.TRUSTED, verdict=""), totals, truth)
    beyond = [rung for rung in TRUST_PERCENTILES if rung > 98]
    assert len(blind.wrong) == 2 * len(beyond) and blind.hidden == 0
    levels = {"message": 95.0, "message.service": 95.0}
    seeing = compare(Trust(standing=Standing.PARTLY, verdict="", up_to=levels), totals, truth)
    assert seeing.wrong == () and seeing.hidden == 2 * len(beyond)
    assert seeing.trusted == 2 * (len(TRUST_PERCENTILES) - len(beyond))
