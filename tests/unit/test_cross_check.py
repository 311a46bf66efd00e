from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.histogram import Histogram
from wsload.protocols.chat.probe.cross_check import MARGIN, MARGIN_NS, MIN_VALUES, disagreement, too_little
from wsload.protocols.chat.probe.result import ProbeResult

MS = 1_000_000


def steady(value_ns: int, number: int = 1000) -> Histogram:
    return Histogram.of([value_ns] * number)


def tailed(body_ns: int, tail_ns: int) -> Histogram:
    """One in twenty is the tail's."""
    return Histogram.of([body_ns] * 950 + [tail_ns] * 50)


@pytest.mark.parametrize(
    ("swarm", "probe"),
    [
        (steady(5 * MS), steady(5 * MS)),
        (steady(1 * MS), steady(5 * MS)),
        (steady(5_900_000), steady(5 * MS)),  # 18 %
        (steady(290_000), steady(100_000)),  # 190 µs
        (tailed(1 * MS, 11 * MS), tailed(1 * MS, 10 * MS)),
    ],
)
def test_who_agree_are_not_warned_about(swarm: Histogram, probe: Histogram) -> None:
    assert disagreement(swarm, probe) is None


def test_a_higher_median_is_named_with_both_figures() -> None:
    warning = disagreement(steady(7 * MS), steady(5 * MS))
    assert warning is not None and not warning.invalidates
    assert "p50 7.00 ms, 5.00 ms by the probe" in warning.text
    assert "p99 7.00 ms, 5.00 ms by the probe" in warning.text
    assert "--processes" in warning.remedy


def test_a_higher_tail_alone_is_enough_and_is_named_alone() -> None:
    warning = disagreement(tailed(1 * MS, 30 * MS), tailed(1 * MS, 10 * MS))
    assert warning is not None
    assert "p99 30.0" in warning.text and "p50" not in warning.text


@given(st.integers(10_000, 10**9), st.integers(10_000, 10**9))
def test_the_margin_is_the_share_or_the_time_whichever_is_more(swarm_ns: int, probe_ns: int) -> None:
    swarm, probe = steady(swarm_ns, MIN_VALUES), steady(probe_ns, MIN_VALUES)
    apart = swarm.percentile(50) - probe.percentile(50)
    expected = apart > MARGIN_NS and apart > MARGIN * probe.percentile(50)
    assert (disagreement(swarm, probe) is not None) == expected


@pytest.mark.parametrize(("swarm", "probe"), [(MIN_VALUES - 1, 1000), (1000, MIN_VALUES - 1), (0, 0)])
def test_too_few_values_are_not_judged(swarm: int, probe: int) -> None:
    assert disagreement(steady(9 * MS, swarm), steady(1 * MS, probe)) is None


@pytest.mark.parametrize(("number", "judged"), [(280, False), (320, True)])
def test_the_tail_takes_more_values(number: int, judged: bool) -> None:
    swarm = Histogram.of([1 * MS] * (number - 20) + [30 * MS] * 20)
    assert (disagreement(swarm, steady(1 * MS, number)) is not None) == judged


def test_a_probe_that_saw_enough_and_ended_is_not_silent() -> None:
    assert too_little(ProbeResult(histogram=steady(1, MIN_VALUES), ended=True)) is None


def test_a_probe_that_can_not_testify_says_why() -> None:
    never = too_little(ProbeResult(problem="Connection refused", ended=True))
    assert never is not None and "0 echoes of 0 posts (Connection refused)" in never.text
    killed = too_little(ProbeResult(histogram=steady(1), echoed=1000, sent=1000))
    assert killed is not None and "cut short after 1,000 echoes" in killed.text
