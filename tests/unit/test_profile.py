"""Load profiles: what is written, the rate over time, its integral, and the arrivals that follow it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import make_run, second

from wsload.measure.names import Kind
from wsload.measure.profile import Course, parse_profile
from wsload.measure.schedule import SECOND_NS, SwarmRate
from wsload.report.chart_data import chart_data
from wsload.report.run_report import read_report

RAMPS = "0:100/s 60s:1000/s 120s:1000/s 130s:0"


@st.composite
def profiles(draw: st.DrawFn) -> str:
    """Ramps, steps, pauses and sines, in any order."""
    words, at = [], 0.0
    for _ in range(draw(st.integers(1, 6))):
        low = draw(st.integers(0, 500))
        if draw(st.booleans()):
            words.append(f"{at:g}s:{low}..{low + draw(st.integers(1, 300))}/s~{draw(st.integers(1, 20))}s")
        else:
            words.append(f"{at:g}s:{low}/s")
        at += draw(st.sampled_from([0, 0.5, 3, 20]))
    return " ".join([*words, f"{at:g}s:50/s"])


@given(profiles(), st.floats(0, 60))
def test_the_integral_is_that_of_the_rate(text: str, until: float) -> None:
    profile, steps = parse_profile(text), 20_000
    width = until / steps
    summed = sum(profile.rate((step + 0.5) * width) for step in range(steps)) * width
    assert profile.integral(until) == pytest.approx(summed, rel=1e-3, abs=2.0)


@given(profiles(), st.floats(0, 20_000))
def test_the_time_of_an_arrival_is_where_the_integral_reaches_it(text: str, arrivals: float) -> None:
    profile = parse_profile(text)
    at = profile.when(arrivals)
    assert profile.integral(at) == pytest.approx(arrivals, rel=1e-9, abs=1e-5)


@given(profiles(), st.floats(0, 60), st.floats(0, 60))
def test_the_integral_never_decreases(text: str, one: float, other: float) -> None:
    profile = parse_profile(text)
    assert profile.integral(min(one, other)) <= profile.integral(max(one, other)) + 1e-9


def test_ramps_go_straight_from_point_to_point() -> None:
    profile = parse_profile(RAMPS)
    assert [profile.rate(at) for at in (0, 30, 60, 90, 125, 130, 500)] == [100, 550, 1000, 1000, 500, 0, 0]
    assert profile.integral(60) == 60 * 550
    assert profile.integral(1e6) == 60 * 550 + 60_000 + 5_000
    assert profile.when(98_000) == pytest.approx(130)
    assert profile.when(98_001) == math.inf
    assert profile.highest == 1000


def test_two_points_at_the_same_time_are_a_step_and_two_steps_a_spike() -> None:
    profile = parse_profile("0:10/s 5s:10/s 5s:200/s 6s:200/s 6s:10/s")
    assert [profile.rate(at) for at in (4.9, 5, 5.9, 6)] == [10, 200, 200, 10]
    assert profile.integral(10) == 50 + 200 + 40


def test_a_pause_is_no_moment_at_which_something_arrives() -> None:
    profile = parse_profile("0:10/s 5s:10/s 5s:0 20s:0 20s:10/s")
    assert profile.when(50) == 5
    assert profile.when(51) == pytest.approx(20.1)


def test_a_sine_that_stops_for_a_moment_loses_nothing_there() -> None:
    profile = parse_profile("0:0..1/s~1s")
    assert [profile.when(arrivals) for arrivals in (1, 2, 3)] == pytest.approx([2, 4, 6], abs=1e-3)


def test_a_sine_swings_between_its_rates() -> None:
    profile = parse_profile("0:100..900/s~60s")
    assert [round(profile.rate(at)) for at in (0, 15, 30, 45, 60)] == [100, 500, 900, 500, 100]
    assert profile.integral(120) == pytest.approx(120 * 500)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must start at 0"),
        ("5s:100/s", "must start at 0"),
        ("0:100/s 10s:5/s 4s:1/s", "back in time, from 10s to 4s"),
        ("0:fast", "'0:fast' is not a point"),
        ("0:0", "a rate above 0"),
        ("0:1e9/s", "is not a point"),
        ("0:2000000/s", "a rate must be a number from 0 to 1e[+]06"),
        ("0:900..100/s~60s", "needs the lower rate first"),
        ("0:100..900/s", "is not a point"),
        ("0:100/s~60s", "is not a point"),
        ("0:100/s x:5/s", "a duration is a number"),
    ],
)
def test_what_is_no_profile_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_profile(text)


# Arrivals that follow it, in shares that change as users join and leave


@given(
    profiles(),
    st.lists(st.tuples(st.floats(0.01, 20), st.sampled_from([0, 0.01, 0.3, 0.5, 1])), min_size=1, max_size=8),
)
def test_no_arrival_is_lost_however_often_the_share_changes(
    text: str, changes: list[tuple[float, float]]
) -> None:
    course = Course(profile=parse_profile(text), start_ns=5 * SECOND_NS)
    rate = SwarmRate(5 * SECOND_NS, course=course)
    now, issued, expected = 5 * SECOND_NS, 0, 0.0
    for length, share in changes:
        rate.change(now, share)
        until = now + int(length * SECOND_NS)
        expected += share * course.between(now, until)
        while (due := rate.next_ns()) is not None and due <= until:
            assert due >= now - 1_000
            rate.advance()
            issued += 1
        now = until
    assert abs(issued - expected) <= 1


def test_arrivals_end_where_the_profile_does() -> None:
    rate = SwarmRate(0, course=Course(profile=parse_profile("0:10/s 2s:10/s 2s:0"), start_ns=0))
    rate.change(0, 0.5)
    dues = []
    while (due := rate.next_ns()) is not None:
        dues.append(due / SECOND_NS)
        rate.advance()
    assert dues == pytest.approx([0.2 * number for number in range(1, 11)])


def test_what_is_overdue_is_shed_by_the_profile() -> None:
    rate = SwarmRate(0, course=Course(profile=parse_profile("0:0 10s:200/s"), start_ns=0))
    rate.change(0, 1.0)
    assert rate.shed(10 * SECOND_NS, keep=100) == 900


def test_the_report_draws_what_was_asked_for_beside_what_was_sent(tmp_path: Path) -> None:
    seconds = [second(at, [5.0] * 20, names={"message": Kind.REQUEST}) for at in range(4)]
    report = read_report(make_run(tmp_path, seconds))
    assert chart_data(report)["profile"] is None
    info = replace(report.info, workload={"profile": "0:0 2s:200/s 2s:50/s"})
    assert chart_data(replace(report, info=info))["profile"] == [50, 150, 50, 50]
