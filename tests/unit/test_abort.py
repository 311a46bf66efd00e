"""Conditions that end a run: what is written, and when they are met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from wsload.errors import UsageError
from wsload.judge.run.abort import AbortMonitor, aborted, parse_condition
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import LAGGED, LOST, UNLAGGED, Kind
from wsload.results.run import CheckState

MS = 1_000_000
SLOW = "message.p99 > 1s for 4s"


def second(at: int, times_ms: float | None, *, lost: int = 0, late: bool = False) -> Interval:
    """600 messages that took so long each."""
    values = Histogram.of([round(times_ms * MS)] * 600) if times_ms is not None else None
    histograms = {"message": values} if values is not None else {}
    if lost:
        histograms["message" + LOST] = Histogram.of([2_000 * MS] * lost)
    if late and values is not None:
        histograms |= {"message" + LAGGED: values, "message" + UNLAGGED: Histogram.of([MS] * 600)}
    return Interval(
        start_s=at,
        length_s=1.0,
        histograms=histograms,
        names={"message": Kind.REQUEST},
        counters={"lost": lost},
    )


def met_at(text: str, seconds: Iterable[Interval]) -> int | None:
    sentry = AbortMonitor(parse_condition(text))
    return next((at for at, each in enumerate(seconds) if sentry.add(each) is not None), None)


def test_a_condition_is_a_check_and_how_long() -> None:
    condition = parse_condition("  message.p99  > 1s   for 10s ")
    assert (condition.text, condition.for_s) == ("message.p99 > 1s for 10s", 10)
    assert (condition.wanted.expression, condition.wanted.operator) == ("message.p99 <= 1s", "<=")
    assert (
        parse_condition("'wait > for 2s'.rate < 5/s for 1m").wanted.expression
        == "'wait > for 2s'.rate >= 5/s"
    )


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("2s", 2), ("60m", 3_600)])
def test_the_shortest_and_the_longest(text: str, seconds: int) -> None:
    assert parse_condition(f"message.p99 > 1s for {text}").for_s == seconds


def test_both_halves_of_two_seconds_must_show_it() -> None:
    assert met_at("message.p50 > 1s for 2s", [second(0, 5), second(1, 1_500), second(2, 1_500)]) == 2
    assert met_at("message.p50 > 1s for 1s", [second(0, 5), second(1, 1_500)]) == 1


def test_a_name_that_was_told_once_is_known_ever_after() -> None:
    """An interval has only those that are new in it."""
    later = [replace(second(at, 1_500), names={}) for at in range(1, 4)]
    assert met_at(SLOW, [second(0, 1_500), *later]) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("message.p99 > 1s", "a time in whole seconds"),
        ("message.p99 > 1s for a while", "a time in whole seconds"),
        ("message.p99 > 1s for 0s", "whole seconds"),
        ("message.p99 > 1s for 1500ms", "whole seconds"),
        ("mesage.p99 > 1s for 5s", "did you mean message"),
        ("for 5s", "a time in whole seconds"),
        ("message.p99 > 1s for 3601s", "whole seconds"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_condition(text)


def test_it_is_met_when_it_has_lasted() -> None:
    assert met_at(
        SLOW, [*(second(at, 5) for at in range(5)), *(second(5 + at, 1_500) for at in range(6))]
    ) in (6, 7, 8)
    assert met_at(SLOW, [second(at, 1_500) for at in range(6)]) == 3


def halved(interval: Interval) -> list[Interval]:
    """The same second in two parts, as when a worker's share of it came late."""
    counts = interval.histograms["message"]
    return [replace(interval, histograms={"message": counts.copy()}, counters={}) for _ in range(2)]


def test_a_second_in_two_parts_is_one_second() -> None:
    parts = [part for at in range(9) for part in halved(second(at, 1_500))]
    assert met_at(SLOW, parts) == 6, "the first part of the fourth second"
    short = [part for at in range(2) for part in halved(second(at, 1_500))]
    assert met_at(SLOW, [*short, *(second(2 + at, 5) for at in range(9))]) is None
    half_seconds = [replace(second(0, 1_500), start_s=at / 2, length_s=0.5) for at in range(20)]
    assert met_at(SLOW, half_seconds) == 7


def test_a_part_that_comes_late_belongs_to_its_own_second() -> None:
    late = replace(second(0, 1_500), start_s=1)
    assert met_at("message.p50 > 1s for 2s", [second(0, 5), second(1, 5), second(2, 1_500), late]) is None


def test_seconds_of_a_load_generator_that_was_held_up_are_as_long_as_they_were() -> None:
    long = replace(second(3, 1_500), length_s=4.0)
    assert met_at(SLOW, [second(0, 5), long]) is None, "both halves are the same"
    assert met_at(SLOW, [second(0, 5), long, *(second(at, 1_500) for at in range(7, 9))]) == 2


def test_one_stall_is_not_enough() -> None:
    assert met_at(SLOW, [second(at, 1_500 if at == 7 else 5) for at in range(20)]) is None


def test_the_lost_rank_above_all_that_was_answered() -> None:
    assert met_at(SLOW, [second(at, 5, lost=60) for at in range(5)]) == 3
    assert met_at(SLOW, [second(at, None, lost=60) for at in range(5)]) == 3


def test_seconds_without_anything_end_no_run() -> None:
    assert met_at(SLOW, [second(at, None) for at in range(20)]) is None


def test_counts_and_rates_may_be_asked_for_too() -> None:
    assert met_at("lost > 50 for 2s", [second(at, 5, lost=60) for at in range(5)]) == 1
    assert met_at("message.rate < 700/s for 3s", [second(at, 5) for at in range(5)]) == 2


def test_the_load_generators_own_lateness_ends_no_run() -> None:
    late = [second(at, 1_500, late=True) for at in range(6)]
    assert met_at(SLOW, late) is None
    sentry = AbortMonitor(parse_condition(SLOW), None)
    assert any(sentry.add(each) for each in late)


def test_what_ended_a_run_is_a_failed_check_that_says_when_and_why() -> None:
    sentry = AbortMonitor(parse_condition(SLOW))
    found = [outcome for at in range(4) if (outcome := sentry.add(second(at, 1_500))) is not None]
    outcome = aborted(found[0], sentry.condition, 62)
    assert (outcome.expression, outcome.state) == ("message.p99 <= 1s", CheckState.FAILED)
    assert outcome.reason == f"over 4 s, so the run was ended at 1:02 (--ws-abort-on '{SLOW}')"
