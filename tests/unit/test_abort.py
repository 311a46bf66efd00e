"""Conditions that end a run: what is written, and when they are met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from intervals import intervals

from wsload.errors import UsageError
from wsload.judge.run.abort import AbortMonitor, aborted, parse_condition
from wsload.judge.run.checks import evaluate
from wsload.judge.run.grammar import SHARES
from wsload.measure.earlier import Earlier
from wsload.measure.histogram import Histogram
from wsload.measure.interval import BORDER_S, Interval, Totals
from wsload.measure.names import FAILED, LAGGED, LOST, UNLAGGED, Kind
from wsload.results.run import CheckOutcome, CheckState

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


# Shares


def mostly_well(at: int) -> Interval:
    """1,000 answers, and one of everything that may go wrong."""
    return Interval(
        start_s=at,
        length_s=1.0,
        histograms={
            "open": Histogram.of([MS] * 100),
            "buy": Histogram.of([5 * MS] * 600),
            "sell": Histogram.of([5 * MS] * 395),
            "sell" + FAILED: Histogram.of([5 * MS] * 5),
            "sell" + LOST: Histogram.of([900 * MS]),
            "tick": Histogram.of([MS] * 5_000),
        },
        names={"buy": Kind.REQUEST, "sell": Kind.REQUEST, "tick": Kind.VALUE},
        counters={"opens": 100, "logins": 100, "cpu_ns": 10_000_000, **dict.fromkeys(COUNTED_ONCE, 1)},
        failures={("sell", "timeout"): 1},
    )


COUNTED_ONCE = [name for name in SHARES if name not in ("failures", "cpu_ns")]


@pytest.mark.parametrize("total", SHARES)
def test_a_share_is_that_of_a_check_over_the_same_seconds(total: str) -> None:
    run = [mostly_well(at) for at in range(4)]
    found = evaluate(parse_condition(f"{total}.rate > 0% for 4s").wanted, Totals.of(run)).got
    share = float(found.removesuffix(" %"))
    assert 0 < share <= 1, f"{found} of 1,000 answers"
    assert met_at(f"{total}.rate > {share * 0.7:.6f}% for 4s", run) == 3
    assert met_at(f"{total}.rate > {share * 1.3:.6f}% for 4s", run) is None
    assert met_at(f"{total}.rate < {share * 1.3:.6f}% for 4s", run) == 3


def test_a_failure_now_and_then_ends_no_run() -> None:
    """After the ramp, seconds have no openings that a share could be one of."""
    well = replace(mostly_well(0), counters={}, failures={})
    run = [
        replace(well, start_s=at, failures={("buy", "timeout"): 1} if at % 5 == 0 else {}) for at in range(40)
    ]
    assert met_at("failures.rate > 5% for 10s", run) is None
    assert met_at("failures.rate > 0.01% for 10s", run) == 9


# What is known of the run besides


def test_a_counter_that_stands_still_is_zero_not_unknown() -> None:
    """It is in no second in which it was not counted."""
    sold = replace(second(0, 5), counters={"books sold": 3})
    assert met_at("books sold < 1 for 3s", [sold, *(second(at, 5) for at in range(1, 6))]) == 3
    assert met_at("books sold < 1 for 3s", [second(at, 5) for at in range(6)]) is None


@pytest.mark.parametrize(("beat_ms", "met"), [(0, 3), (900, None)])
def test_values_of_a_user_class_are_judged_by_the_heartbeat(beat_ms: int, met: int | None) -> None:
    ticks = {"tick": Histogram.of([1_500 * MS] * 600), "loop_lag": Histogram.of([beat_ms * MS] * 1_000)}
    run = [
        Interval(start_s=at, length_s=1.0, histograms=ticks, names={"tick": Kind.VALUE}) for at in range(6)
    ]
    assert met_at("tick.p99 > 1s for 4s", run) == met


# The sums


class Anew:
    """A condition whose time is added up anew for each interval, with everything that was recorded."""

    def __init__(self, text: str, tolerance_ns: float | None) -> None:
        self.condition = parse_condition(text)
        self._tolerance_ns = tolerance_ns
        self._earlier = Earlier()
        self._run: list[Interval] = []

    def add(self, interval: Interval) -> CheckOutcome | None:
        self._earlier.add(interval)
        self._run = sorted([*self._run, interval], key=middle)
        for_s = self.condition.for_s
        from_s = max(each.start_s + each.length_s for each in self._run) - for_s
        if from_s < min(each.start_s for each in self._run) - BORDER_S:
            return None
        border_s = from_s + for_s // 2
        whole = [each for each in self._run if middle(each) > from_s]
        halves = (
            [each for each in whole if middle(each) <= border_s],
            [each for each in whole if middle(each) > border_s],
        )
        found = [self._outcome(part) for part in (whole, *(halves if for_s > 1 else ()))]
        met = all(each.state is CheckState.FAILED and each.got != "no samples" for each in found)
        return found[0] if met else None

    def _outcome(self, part: list[Interval]) -> CheckOutcome:
        totals = Totals.of(map(self._earlier.known_to, part))
        return evaluate(self.condition.wanted, totals, tolerance_ns=self._tolerance_ns)


def middle(interval: Interval) -> float:
    return interval.start_s + interval.length_s / 2


CHECKS = (
    *(
        "message.p50 > 1us",
        "message.p99 < 3600s",
        "message.mean > 1ms",
        "message.max > 1ms",
        "message.min < 1ms",
    ),
    *(
        "message.service.p50 > 1us",
        "open.p50 > 1us",
        "probe.count < 5",
        "message.lost < 3",
        "message.lost.rate > 1%",
    ),
    *(
        "message.rate > 1/s",
        "message.rate < 4/s",
        "failures < 1000",
        "failures.rate > 1/s",
        "sent.rate < 9/s",
    ),
    *("'buy a book'.count < 1", "'buy a book'.failed < 1", "lost > 10", "lost < 1", "pushes > 1000"),
    *(f"{total}.rate {sign} 10%" for total in SHARES for sign in "<>"),
)


@given(
    st.sampled_from(CHECKS),
    st.integers(1, 4),
    st.sampled_from((1_000_000.0, None)),
    st.lists(intervals(st.integers(0, 64).map(lambda eighths: eighths / 8)), max_size=12),
    st.booleans(),
)
def test_the_running_sums_are_those_that_are_added_up_anew(
    check: str, for_s: int, tolerance_ns: float | None, run: list[Interval], in_order: bool
) -> None:
    text = f"{check} for {for_s}s"
    sums, anew = AbortMonitor(parse_condition(text), tolerance_ns), Anew(text, tolerance_ns)
    for interval in sorted(run, key=lambda each: each.start_s) if in_order else run:
        found = sums.add(interval)
        assert found == anew.add(interval)
        event("met" if found else "not met")


def test_only_what_is_filled_of_a_histogram_is_kept() -> None:
    """Whole, those of an hour would be 100 MB and more."""
    sentry = AbortMonitor(parse_condition("message.p99 > 1s for 4s"))
    for at in range(6):
        sentry.add(second(at, 1_500))
    parts = (sentry._whole, sentry._first, sentry._second)
    assert [len(part._held) for part in parts] == [4, 2, 2]
    kept = [each.histograms["message"] for part in parts for each in part._held]
    assert all(each.total == 600 and not len(each._counts) for each in kept)
