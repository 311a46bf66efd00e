"""What a run's figures make of its checks."""

from __future__ import annotations

import operator
from math import comb
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_check_grammar import parts

from wsload.judge.figures.samples import BEYOND, SHOWN, at_most, can_be_shown, needed
from wsload.judge.run.checks import evaluate
from wsload.judge.run.grammar import parse_check
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import FREE, LAGGED, LATE_IN, LOST, OWN, TOO_LATE, UNLAGGED, Kind, Labels
from wsload.results.run import CheckOutcome, CheckState
from wsload.words import percent

MS = 1_000_000
PASSED, FAILED, UNJUDGED = CheckState.PASSED, CheckState.FAILED, CheckState.UNJUDGED

RUN = Totals.of(
    [
        Interval(
            start_s=100.0,
            length_s=10.0,
            histograms={
                "message": Histogram.of([10 * MS] * 90 + [100 * MS] * 8),
                "message.lost": Histogram.of([10_000 * MS] * 2),
                "open": Histogram.of([5 * MS] * 4),
            },
            counters={
                "opens": 4, "open_failures": 1, "logins": 3, "login_failures": 1, "sent": 110, "lost": 2,
                "timeouts": 1, "duplicates": 5, "unsent": 25, "bytes_in": 5_000_000, "cpu_ns": 4_000_000_000,
            },
            failures={("open", "refused"): 1, ("login", "timeout"): 1, ("message", "timeout"): 3},
        )
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "state", "wanted", "got"),
    [
        ("message.p50 < 50ms", PASSED, "< 50 ms", "10.0 ms"),
        ("message.p95 < 50ms", FAILED, "< 50 ms", "100 ms"),
        ("message.p95 <= 0.2s", PASSED, "<= 0.2 s", "0.100 s"),
        ("message.min > 9000us", PASSED, "> 9,000 us", "9,994 us"),
        ("message.count >= 98", PASSED, ">= 98", "98"),
        ("message.count > 98", FAILED, "> 98", "98"),
        ("message.rate >= 9.8/s", PASSED, ">= 9.8/s", "9.80/s"),
        ("open.rate < 0.4 /s", FAILED, "< 0.4/s", "0.40/s"),
        ("message.lost.count <= 2", PASSED, "<= 2", "2"),
        ("lost <= 1", FAILED, "<= 1", "2"),
        ("late <= 0", PASSED, "<= 0", "0"),
        ("lost.rate <= 2%", PASSED, "<= 2 %", "2 %"),
        ("lost.rate < 2%", FAILED, "< 2 %", "2 %"),
        ("timeouts.rate <= 1%", PASSED, "<= 1 %", "1 %"),
        ("duplicates.rate <= 5%", PASSED, "<= 5 %", "5 %"),
        ("unsent.rate <= 20%", PASSED, "<= 20 %", "20 %"),
        ("lost.rate <= 0.2/s", PASSED, "<= 0.2/s", "0.20/s"),
        ("failures < 5", FAILED, "< 5", "5"),
        ("failures.rate < 4%", FAILED, "< 4 %", "4.5 %"),
        ("failures.rate < 1/s", PASSED, "< 1/s", "0.50/s"),
        ("open_failures.rate <= 20%", PASSED, "<= 20 %", "20 %"),
        ("login_failures.rate <= 20%", FAILED, "<= 20 %", "25 %"),
        ("bytes_in.rate < 600000/s", PASSED, "< 600,000/s", "500,000/s"),
        ("bytes_in <= 5000000", PASSED, "<= 5,000,000", "5,000,000"),
        ("cpu_ns <= 4s", PASSED, "<= 4 s", "4.00 s"),
        ("cpu_ns.rate < 85%", PASSED, "< 85 %", "40 %"),
        ("message.lost < 2", FAILED, "< 2", "2"),
        ("message.lost.rate <= 2%", PASSED, "<= 2 %", "2 %"),
        ("message.failed < 1", PASSED, "< 1", "0"),
        ("open.failed < 1", FAILED, "< 1", "1"),
        ("open.failed.count < 1", FAILED, "< 1", "1"),
        ("open.failed.rate < 20%", FAILED, "< 20 %", "20 %"),
        ("open.failed.rate < 0.1/s", FAILED, "< 0.1/s", "0.10/s"),
        ("close.failed < 1", PASSED, "< 1", "0"),
    ],
)
def test_a_run_is_judged(text: str, state: CheckState, wanted: str, got: str) -> None:
    outcome = evaluate(parse_check(text), RUN)
    assert outcome == CheckOutcome(expression=text, state=state, wanted=wanted, got=got)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        *((name, part) for name in sorted(FREE) for part in ("lost", "failed")),
        ("check out", "lost"),
        ("tick", "lost"),
    ],
)
def test_what_is_not_recorded_of_a_name_passes_no_check(name: str, parts: str) -> None:
    values = {each: Histogram.of([MS]) for each in (*OWN, "check out", "tick")}
    names = {"check out": Kind.STEP, "tick": Kind.VALUE}
    totals = Totals.of([Interval(start_s=1.0, length_s=1.0, histograms=values, names=names)])
    for statistic in (" < 1", ".count < 1", ".rate < 1%", ".rate < 1/s"):
        found = evaluate(parse_check(f'"{name}".{parts}{statistic}'), totals, Labels(counters={"opens": ""}))
        said = "were lost" if parts == "lost" else "failed"
        assert (found.state, found.reason) == (FAILED, f"nothing counts how many {name} {said}")


def test_failures_of_logins_count_where_a_protocol_counts_them_and_of_values_everywhere() -> None:
    totals = Totals.of(
        [
            Interval(
                start_s=1.0,
                length_s=1.0,
                histograms={"login": Histogram.of([MS] * 3), "GET /": Histogram.of([MS] * 9)},
                failures={("login", "refused"): 1, ("GET /", "HTTPError"): 1},
                names={"GET /": Kind.VALUE},
            )
        ]
    )
    chat = Labels(counters={"login_failures": "logins failed"})
    assert evaluate(parse_check("login.failed < 1"), totals, chat).got == "1"
    assert evaluate(parse_check("login.failed.rate < 1%"), totals, chat).got == "25 %"
    assert evaluate(parse_check('"GET /".failed < 1'), totals).got == "1"
    assert evaluate(parse_check('"GET /".failed.rate < 1%'), totals).got == "10 %"
    own = replace_names(totals, login=Kind.REQUEST)
    assert evaluate(parse_check("login.failed < 1"), own, chat).got == "0", "a request of the user class"


def replace_names(totals: Totals, **names: Kind) -> Totals:
    found = Totals()
    found.add(
        Interval(
            start_s=1.0, length_s=1.0, histograms=totals.histograms, failures=totals.failures, names=names
        )
    )
    return found


@pytest.mark.parametrize(
    "text", ["login.p99 < 1s", "login.p99 > 1ns", "login.min < 1s", "login.mean < 1s", "login.max < 1s"]
)
def test_without_samples_a_check_fails_and_says_so(text: str) -> None:
    outcome = evaluate(parse_check(text), RUN)
    assert (outcome.state, outcome.got) == (FAILED, "no samples")


@pytest.mark.parametrize("text", ["lost.rate < 100%", "unsent.rate < 100%", "failures.rate < 100%"])
def test_a_share_of_nothing_is_no_sample(text: str) -> None:
    idle = Totals.of([Interval(start_s=1.0, length_s=1.0, gauges={"users": 1})])
    outcome = evaluate(parse_check(text), idle)
    assert (outcome.state, outcome.got) == (FAILED, "no samples")
    assert evaluate(parse_check("lost <= 0"), idle).state is PASSED


@pytest.mark.parametrize("text", ["lost <= 0", "failures < 1", "message.count < 5", "message.rate < 5/s"])
def test_a_run_that_recorded_nothing_passes_nothing(text: str) -> None:
    outcome = evaluate(parse_check(text), Totals())
    assert (outcome.state, outcome.got) == (FAILED, "no samples")


OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(parts)
def test_the_outcome_is_the_comparison(part: tuple[tuple[str, str, str], str, int]) -> None:
    (name, statistic, unit), sign, number = part
    expression = f"{name}.{statistic} {sign} {number}{unit}" if statistic else f"{name} {sign} {number}"
    outcome = evaluate(parse_check(expression), RUN)
    if outcome.got == "no samples":
        assert outcome.state is FAILED
        assert name not in RUN.histograms
    elif outcome.got.startswith(("more than", "none answered")):
        assert outcome.state is FAILED
        assert name.startswith("message")
    elif not outcome.got.endswith("values"):
        got = float(outcome.got.removesuffix("/s").removesuffix(" ms").replace(",", ""))
        # What is shown says the same as the comparison of the exact figure, however close that is to the bound.
        assert outcome.state is (PASSED if OPERATORS[sign](got, number) else FAILED)


@pytest.mark.parametrize(
    ("value_ns", "bound", "got"),
    [
        (4_831_234, "5ms", "4.83 ms"),
        (50_000_000, "50ms", "50.0 ms"),
        (50_040_000, "50ms", "50.04 ms"),
        (49_999_960, "50ms", "49.99996 ms"),
        (1_204_400_000, "1204ms", "1,204.4 ms"),
        (1_204_400_000, "2s", "1.20 s"),
        (480, "1ms", "0.000480 ms"),
        (0, "1ms", "0 ms"),
    ],
)
def test_a_figure_never_reads_as_on_the_other_side_of_the_bound(value_ns: int, bound: str, got: str) -> None:
    assert parse_check(f"buy.p99 < {bound}").shown(value_ns) == got


# Lost and failed rank above every answered one


def run_of(histograms: dict[str, Histogram], **more: Any) -> Totals:
    return Totals.of([Interval(start_s=1.0, length_s=10.0, histograms=histograms, **more)])


LOSSY = run_of(
    {
        "buy it": Histogram.of([MS] * 9_700),
        "buy it.service": Histogram.of([MS] * 9_700),
        "buy it.lost": Histogram.of([20 * MS] * 200),
        "buy it.failed": Histogram.of([1000] * 100),
    },
    names={"buy it": Kind.REQUEST},
)


@pytest.mark.parametrize(
    ("text", "state", "got"),
    [
        ("p95 < 5ms", PASSED, "1.00 ms"),
        ("p98 < 5ms", FAILED, "more than 1.00 ms"),
        ("p98 < 50s", FAILED, "more than 0.00100 s"),
        ("p98 > 1us", FAILED, "more than 1,000 us"),
        ("max < 50s", FAILED, "more than 0.00100 s"),
        ("mean < 1.3ms", FAILED, "1.38 ms"),  # 200 at their age, 100 like the slowest answer
        ("mean < 1.4ms", PASSED, "1.38 ms"),
        ("min < 5ms", PASSED, "1.00 ms"),
        ("count >= 9700", PASSED, "9,700"),
        ("service.p98 < 5ms", FAILED, "more than 1.00 ms"),
        ("lost < 200", FAILED, "200"),
        ("lost.rate <= 2%", PASSED, "2 %"),
        ("lost.rate <= 20/s", PASSED, "20.0/s"),
        ("lost.p95 < 50ms", PASSED, "20.0 ms"),
        ("failed.rate < 1%", FAILED, "1 %"),
        ("failed.p50 < 5us", PASSED, "1.02 us"),
    ],
)
def test_lost_and_failed_rank_above_every_answered_one(text: str, state: CheckState, got: str) -> None:
    outcome = evaluate(parse_check(f'"buy it".{text}'), LOSSY)
    assert (outcome.state, outcome.got) == (state, got)


def test_with_nothing_answered_nothing_passes() -> None:
    lost = run_of({"buy.lost": Histogram.of([MS] * 1000)})
    for statistic in ("p50", "mean", "min", "max"):
        assert evaluate(parse_check(f"buy.{statistic} < 50s"), lost).state is FAILED
    assert evaluate(parse_check("buy.p50 < 50s"), lost).got == "none answered"


@given(
    st.lists(st.integers(1000, 10**8), min_size=1, max_size=300),
    st.lists(st.integers(1000, 10**8), max_size=50),
    st.sampled_from(("p1", "p50", "p90", "p99", "mean", "max")),
    st.integers(0, 200),
)
def test_losing_a_message_never_helps_a_check(
    answered: list[int], ages: list[int], statistic: str, bound: int
) -> None:
    """Each lost message replaced by an answer as fast as the slowest can only be better."""
    check = parse_check(f"buy.{statistic} < {bound}ms")
    lossy = evaluate(check, run_of({"buy": Histogram.of(answered), "buy.lost": Histogram.of(ages)}))
    kept = evaluate(check, run_of({"buy": Histogram.of([*answered, *[max(answered)] * len(ages)])}))
    order = [FAILED, UNJUDGED, PASSED]
    assert order.index(lossy.state) <= order.index(kept.state)


# Few values


@pytest.mark.parametrize(
    ("values", "text", "state", "got"),
    [
        ([MS] * 50, "p99 < 50ms", UNJUDGED, "50 values"),
        ([MS] * 49 + [60 * MS], "p99 < 50ms", UNJUDGED, "50 values"),
        ([MS] * 47 + [60 * MS] * 3, "p99 < 50ms", FAILED, "60.0 ms"),
        ([MS] * 298, "p99 < 50ms", UNJUDGED, "298 values"),
        ([MS] * 299, "p99 < 50ms", PASSED, "1.00 ms"),
        ([MS] * 494 + [60 * MS] * 6, "p99 < 50ms", FAILED, "60.0 ms"),
        ([MS] * 495 + [60 * MS] * 5, "p99 < 50ms", PASSED, "1.00 ms"),
        ([MS] * 4, "p50 < 50ms", UNJUDGED, "4 values"),
        ([MS], "p50 < 50ms", UNJUDGED, "1 value"),
        ([MS] * 5, "p50 < 50ms", PASSED, "1.00 ms"),
        ([MS] * 5, "p50 > 50ms", FAILED, "1.00 ms"),
        ([MS] * 50, "p1 > 0.5ms", UNJUDGED, "50 values"),
        ([MS] * 299, "p1 > 0.5ms", PASSED, "1.00 ms"),
        ([MS] * 5, "max < 50ms", PASSED, "1.00 ms"),
        ([MS] * 5, "count < 6", PASSED, "5"),
    ],
)
def test_a_percentile_of_few_values_is_judged_only_where_they_leave_no_doubt(
    values: list[int], text: str, state: CheckState, got: str
) -> None:
    outcome = evaluate(parse_check(f"open.{text}"), run_of({"open": Histogram.of(values)}))
    assert outcome.state is state
    if state is UNJUDGED:
        assert outcome.got == got
        assert "are enough" in outcome.reason
    else:
        assert outcome.got == got


@given(st.integers(1, 400), st.sampled_from((0.5, 0.9, 0.99, 0.999, 0.01)), st.data())
def test_the_chance_is_that_of_the_binomial_distribution(trials: int, chance: float, data: Any) -> None:
    successes = data.draw(st.integers(-1, trials))
    exact = sum(
        comb(trials, number) * chance**number * (1 - chance) ** (trials - number)
        for number in range(successes + 1)
    )
    assert at_most(successes, trials, chance) == pytest.approx(exact, abs=1e-9)


@given(st.sampled_from((50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 1.0)))
def test_how_many_values_a_percentile_needs(percentile: float) -> None:
    count = needed(percentile, SHOWN)
    assert can_be_shown(percentile, count) and not can_be_shown(percentile, count - 1)
    for beyond in (SHOWN, BEYOND):
        assert needed(percentile, beyond) * min(percentile, 100 - percentile) / 100 == pytest.approx(beyond)


# Names the run doesn't know


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sell.p99 < 5ms", "the run has no 'sell'"),
        ('"buy ti".p99 < 5ms', "the run has no 'buy ti': did you mean buy it"),
        ("gaps < 5", "the run has no 'gaps'"),
        ("sell.lost < 5", "the run has no 'sell.lost'"),
        ("sell.rate > 5/s", "the run has no 'sell'"),
    ],
)
def test_a_name_the_run_does_not_know_fails_and_says_so(text: str, reason: str) -> None:
    outcome = evaluate(parse_check(text), LOSSY)
    assert (outcome.state, outcome.got) == (FAILED, "no samples")
    assert outcome.reason.startswith(reason)


def test_counters_of_the_user_class_and_of_the_stored_protocol_are_known() -> None:
    totals = run_of({}, counters={"items sold": 20, "gaps": 0})
    assert evaluate(parse_check('"items sold" >= 20'), totals).state is PASSED
    assert evaluate(parse_check('"items sold".rate >= 2/s'), totals).state is PASSED
    assert evaluate(parse_check("gaps < 1"), totals).state is PASSED
    known = Labels(counters={"hiccups": "of another protocol"})
    assert evaluate(parse_check("hiccups < 1", known), totals).state is FAILED
    assert evaluate(parse_check("hiccups < 1", known), totals, known).state is PASSED


def test_a_share_is_that_of_the_total_though_an_older_run_has_a_request_of_that_name() -> None:
    totals = run_of({"late": Histogram.of([MS] * 100)}, names={"late": Kind.REQUEST}, counters={"late": 5})
    assert evaluate(parse_check("late.rate < 5.1%"), totals).got == "5 %"
    assert evaluate(parse_check('"late".p50 < 5ms'), totals).state is PASSED
    unknown = run_of({"login_failures": Histogram.of([MS])}, names={"login_failures": Kind.REQUEST})
    own = Labels(counters={"opens": "connections opened"})
    assert evaluate(parse_check("login_failures.rate < 5%"), unknown, own).state is FAILED


def test_shares_are_of_all_named_requests() -> None:
    """Not of steps, which are made of requests, and not of values."""
    totals = run_of(
        {
            "a": Histogram.of([MS] * 60),
            "b": Histogram.of([MS] * 30),
            "b.failed": Histogram.of([MS] * 5),
            "b.lost": Histogram.of([MS] * 5),
            "step": Histogram.of([MS] * 20),
            "tick": Histogram.of([MS] * 999),
        },
        names={"a": Kind.REQUEST, "b": Kind.REQUEST, "step": Kind.STEP, "tick": Kind.VALUE},
        counters={"lost": 5, "refused": 5, "opens": 10},
        failures={("b", "timeout"): 5, ("b", "refused"): 5},
    )
    assert evaluate(parse_check("lost.rate < 50%"), totals).got == "5 %"
    assert evaluate(parse_check("refused.rate < 50%"), totals).got == "5 %"
    assert evaluate(parse_check("b.lost.rate < 50%"), totals).got == "12.5 %"
    assert evaluate(parse_check("failures.rate < 50%"), totals).got == "7.7 %"


@pytest.mark.parametrize(("names", "attempts"), [({"a": Kind.REQUEST}, 100 + 30 + 4), ({}, 100 + 30 + 4)])
def test_logins_that_are_counted_are_attempts_once(names: dict[str, Kind], attempts: int) -> None:
    """A login may be a counter of the protocol's, or a request that the user class names so."""
    totals = run_of(
        {"a": Histogram.of([MS] * 100)}, names=names, counters={"logins": 30}, failures={("a", "refused"): 4}
    )
    assert evaluate(parse_check("failures.rate < 50%"), totals).got == percent(4 / attempts)
    named = run_of(
        {"a": Histogram.of([MS] * 100), "login": Histogram.of([MS] * 30)},
        names={**names, "login": Kind.REQUEST},
        counters={"logins": 30},
        failures={("a", "refused"): 4},
    )
    assert evaluate(parse_check("failures.rate < 50%"), named).got == percent(4 / attempts)


def test_what_a_user_class_counts_as_logins_is_no_attempt() -> None:
    totals = run_of({"a": Histogram.of([MS] * 100)}, counters={"logins": 30}, failures={("a", "refused"): 4})
    own = Labels(counters={"opens": "connections opened"})
    assert evaluate(parse_check("failures.rate < 50%"), totals, own).got == percent(4 / 104)


def test_what_is_only_kept_to_judge_the_run_is_not_suggested() -> None:
    totals = run_of({"buy": Histogram.of([MS]), "buy.lagged": Histogram.of([MS])})
    assert evaluate(parse_check("buys.p50 < 1s"), totals).reason.endswith("did you mean buy?")


def test_names_alike_are_suggested_with_an_or_between() -> None:
    totals = run_of({"buy a": Histogram.of([MS]), "buy b": Histogram.of([MS])})
    assert evaluate(parse_check('"buy c".p50 < 1s'), totals).reason in (
        "the run has no 'buy c': did you mean buy b or buy a?",
        "the run has no 'buy c': did you mean buy a or buy b?",
    )
    assert evaluate(parse_check("gaps < 1"), totals).reason == "the run has no 'gaps'"


def test_what_the_loop_was_late_in_is_nothing_to_check() -> None:
    totals = run_of({}, counters={f"{LATE_IN}task": 3})
    outcome = evaluate(parse_check(f'"{LATE_IN}task" < 5'), totals)
    assert outcome.state is FAILED
    assert outcome.reason.startswith(f"the run has no '{LATE_IN}task'")
    assert f"mean {LATE_IN}" not in outcome.reason


def test_values_out_of_range_count() -> None:
    totals = run_of({"buy": Histogram.of([MS] * 8 + [10**13] * 2)}, names={"buy": Kind.REQUEST})
    assert totals.histograms["buy"].overflow == 2
    totals.counters["lost"] = 10
    assert evaluate(parse_check("lost.rate < 90%"), totals).got == "50 %"


def test_why_it_failed_is_said_where_nothing_was_answered() -> None:
    lost = run_of({"buy.lost": Histogram.of([MS] * 3)}, names={"buy": Kind.REQUEST})
    assert evaluate(parse_check("buy.mean < 1s"), lost).reason == "no buy was answered, 3 were lost or failed"
    assert evaluate(parse_check("buy.max < 1s"), lost).state is FAILED
    assert (
        evaluate(parse_check("login_failures.rate < 1%"), run_of({})).reason
        == "nothing was attempted, so there is no share"
    )
    some = run_of(
        {"buy": Histogram.of([MS] * 97), "buy.lost": Histogram.of([MS] * 3)}, names={"buy": Kind.REQUEST}
    )
    assert evaluate(parse_check("buy.max < 1s"), some).reason == (
        "it lies among those that were lost or failed, which rank above all that were answered"
    )


# What the load generator's own lateness may have moved


def late(of: int = 1_000, *, late: int = 20, lost: int = 0, **more: Any) -> Totals:
    """So many answers in 5 ms; of these so many recorded as 50, since the load generator was late by 45."""
    histograms = {
        "buy": Histogram.of([5 * MS] * (of - late) + [50 * MS] * late),
        "buy" + LAGGED: Histogram.of([50 * MS] * late),
        "buy" + UNLAGGED: Histogram.of([5 * MS] * late),
    }
    if lost:
        histograms["buy" + LOST] = Histogram.of([MS] * lost)
    return Totals.of([Interval(length_s=1.0, histograms=histograms, names={"buy": Kind.REQUEST}, **more)])


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("buy.p50 < 10ms", PASSED),
        ("buy.p95 < 10ms", PASSED),
        ("buy.p98 < 10ms", PASSED),
        ("buy.p98.1 < 1s", UNJUDGED),
        ("buy.p99 < 1s", UNJUDGED),
        ("buy.p99 < 1ms", UNJUDGED),
        ("buy.max < 1s", UNJUDGED),
        ("buy.max > 1s", UNJUDGED),
        ("buy.min < 10ms", PASSED),
        ("buy.count > 1", PASSED),
        ("buy.rate > 1/s", PASSED),
        ("buy.mean < 1s", PASSED),  # moved by 0.9 ms
    ],
)
def test_a_check_on_a_figure_that_is_not_trusted_is_not_judged(text: str, state: CheckState) -> None:
    assert evaluate(parse_check(text), late()).state is state


@pytest.mark.parametrize(("late_ones", "state"), [(20, PASSED), (23, UNJUDGED)])
def test_a_mean_is_judged_as_long_as_it_moved_by_no_more_than_is_tolerated(
    late_ones: int, state: CheckState
) -> None:
    """By 45 µs for each late one in a thousand."""
    assert evaluate(parse_check("buy.mean < 1s"), late(late=late_ones)).state is state


def test_a_mean_without_what_was_never_begun_is_not_judged() -> None:
    totals = late(late=1, failures={("buy", TOO_LATE): 1})
    assert evaluate(parse_check("buy.mean < 1s"), totals).state is UNJUDGED
    assert evaluate(parse_check("buy.p50 < 1s"), totals).state is PASSED


def test_the_reason_says_how_far_it_is_trusted_and_the_figure_is_shown() -> None:
    found = evaluate(parse_check("buy.p99 < 1s"), late())
    assert found.got.startswith("0.05")
    assert found.reason == (
        "not trusted: it includes the load generator's own lateness; buy is trusted up to p95"
    )
    nothing = evaluate(parse_check("buy.p50 < 1s"), late(late=900))
    assert nothing.reason.endswith("buy is trusted at no percentile")


def test_the_tolerance_decides_and_without_one_all_is_judged() -> None:
    check = parse_check("buy.p99 < 1s")
    assert evaluate(check, late(), tolerance_ns=100 * MS).state is PASSED
    assert evaluate(check, late(), tolerance_ns=None).state is PASSED
    assert evaluate(parse_check("buy.p99 < 1ms"), late(), tolerance_ns=None).state is FAILED
    assert evaluate(parse_check("buy.mean < 1s"), late(late=500), tolerance_ns=100 * MS).state is PASSED


def test_where_the_lost_rank_above_the_answered_a_higher_percentile_of_these_is_meant() -> None:
    """p96 of 1,000 answered and 25 lost is the 984th of the answered, among the late ones."""
    check = parse_check("buy.p96 < 1s")
    assert evaluate(check, late()).state is PASSED
    assert evaluate(check, late(lost=25)).state is UNJUDGED


def test_answers_that_may_be_anothers_are_not_judged_whatever_their_figures() -> None:
    totals = late(late=1, counters={"buy.unpaired": 1})
    totals.histograms["buy.service"] = totals.histograms["buy"].copy()
    statistics = ("p50", "min", "mean", "max")
    for text in (
        f"buy{part}.{each} {sign} 1s" for part in ("", ".service") for each in statistics for sign in "<>"
    ):
        found = evaluate(parse_check(text), totals)
        assert (found.state, found.reason[:12]) == (UNJUDGED, "not trusted:")
    assert evaluate(parse_check("buy.count > 1"), totals).state is PASSED


def test_what_was_not_measured_fails_and_is_not_a_matter_of_trust() -> None:
    totals = late(late=1)
    totals.histograms["buy"] = Histogram()
    assert evaluate(parse_check("buy.p50 < 1s"), totals).state is FAILED
