"""The grammar of checks, its error messages, and what a run's figures make of them."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import COUNTERS, METRICS

from wsload.errors import UsageError
from wsload.judge.run.checks import Check, evaluate, parse_check
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.results.run import CheckOutcome

MS = 1_000_000


@pytest.mark.parametrize(
    ("text", "name", "statistic", "sign", "bound"),
    [
        ("message.p99 < 50ms", "message", "p99", "<", 50e6),
        ("message.p99<50 ms", "message", "p99", "<", 50e6),
        ("  message.p99.99   <=  1.1  s ", "message", "p99.99", "<=", 1.1e9),
        ("open.tls.p50 < 250us", "open.tls", "p50", "<", 250e3),
        ("open.tls.p50 < 250µs", "open.tls", "p50", "<", 250e3),
        ("open.tls.p50 < 250μs", "open.tls", "p50", "<", 250e3),
        ("ping.min > 1ns", "ping", "min", ">", 1),
        ("message.service.mean < 0.5ms", "message.service", "mean", "<", 5e5),
        ("message.lost.max <= 10s", "message.lost", "max", "<=", 1e10),
        ("message.count >= 1000", "message", "count", ">=", 1000),
        ("message.rate >= 99.5/s", "message", "rate", ">=", 99.5),
        ("lost <= 0", "lost", "", "<=", 0),
        ("lost.rate < 0.1%", "lost", "rate", "<", 0.1),
        ("lost.rate < 2/s", "lost", "rate", "<", 2),
        ("failures < 1", "failures", "", "<", 1),
        ("failures.rate <= 0.1 %", "failures", "rate", "<=", 0.1),
        ("bytes_in.rate < 1000000 /s", "bytes_in", "rate", "<", 1e6),
        ("cpu_ns < 10s", "cpu_ns", "", "<", 1e10),
        ("cpu_ns.rate < 85%", "cpu_ns", "rate", "<", 85),
    ],
)
def test_what_the_grammar_allows(text: str, name: str, statistic: str, sign: str, bound: float) -> None:
    check = parse_check(text)
    assert (check.name, check.statistic, check.operator, check.bound) == (name, statistic, sign, bound)


@pytest.mark.parametrize(
    ("text", "said", "at"),
    [
        ("mesage.p99 < 50ms", "there is no 'mesage': did you mean message or", "mesage"),
        ("open.dnss.p50 < 1ms", "there is no 'open.dnss': did you mean open.dns or", "open.dnss"),
        ("lots < 1", "there is no 'lots': did you mean lost or", "lots"),
        ("qqqq < 1", "there are message, message.service,", "qqqq"),
        ("message < 3ms", "which figure of message? Add one, as in message.p99", " < 3ms"),
        ("message.p9x < 50ms", "'p9x' is no statistic: did you mean p99 or", "p9x"),
        ("message.avg < 50ms", "'avg' is no statistic: did you mean mean?", "avg"),
        ("message.median < 50ms", "did you mean p50", "median"),
        ("message.p100 < 50ms", "did you mean max?", "p100"),
        ("message.p999 < 50ms", "did you mean p99.9 or", "p999"),
        ("message.stuff < 50ms", "use p50, p90, p95, p99, p99.9, p99.99, min, mean, max,", "stuff"),
        ("message.p0 < 50ms", "say min", "p0"),
        ("lost.p99 < 1", "lost is a total: it has a rate, and no p99", "p99"),
        ("failures.count < 1", "failures is a total", "count"),
        ("message.p99 50ms", "a comparison is missing", "50ms"),
        ("message.p99 == 50ms", "'==' is no comparison: use < <= > or >=", "=="),
        ("message.p99 =< 50ms", "'=<' is no comparison", "=<"),
        ("message.p99 < ms", "a number from 0 is missing", "ms"),
        ("message.p99 < -5ms", "a number from 0 is missing", "-5ms"),
        ("message.p99 <", "a number from 0 is missing", ""),
        ("message.p99 < 50", "message.p99 needs a unit: write ms, s, us, µs, ns", ""),
        ("message.p99 < 50 parsecs", "not measured in 'parsecs': write ms, s, us, µs, ns", "parsecs"),
        ("message.p99 < 50%", "not measured in '%'", "%"),
        ("message.p99 < 1e3ms", "not measured in 'e3ms'", "e3ms"),
        ("message.p99 < 50ms or so", "not measured in 'ms or so'", "ms or so"),
        ("message.count < 5ms", "not measured in 'ms': it takes a bare number", "ms"),
        ("message.rate > 5", "needs a unit: write /s", ""),
        ("message.rate > 5%", "not measured in '%': write /s", "%"),
        ("lost < 1%", "it takes a bare number", "%"),
        ("lost.rate < 1", "lost.rate needs a unit: write /s, %", ""),
        ("sent.rate < 1%", "not measured in '%': write /s", "%"),
        ("cpu_ns < 1", "cpu_ns needs a unit", ""),
        ("cpu_ns.rate < 1/s", "not measured in '/s': write %", "/s"),
        ("< 50ms", "begins with what to check", "<"),
    ],
)
def test_a_mistake_is_quoted_and_pointed_at(text: str, said: str, at: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_check(text)
    first, quoted, caret = str(caught.value).split("\n")
    assert first.startswith(f"check '{text}': ")
    assert said in first
    assert quoted == f"    {text}"
    wanted = text.rindex(at) if at else len(text)
    assert caret == " " * (4 + wanted) + "^"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty check"),
        (" \n ", "an empty check"),
        ("x" * 300, "longer than 200"),
        ("a\x1b[2J<1", r"\x1b"),
    ],
)
def test_what_is_no_line_of_text_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_check(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        check = parse_check(text)
    except UsageError:
        pass
    else:
        assert check.expression == " ".join(text.replace("μs", "µs").split())


PLAIN = [*(counter for counter in COUNTERS if counter != "cpu_ns"), "failures"]
subjects = st.one_of(
    st.tuples(
        st.sampled_from(METRICS), st.sampled_from(("p50", "p99.9", "min", "mean", "max")), st.just("ms")
    ),
    st.tuples(st.sampled_from(METRICS), st.just("count"), st.just("")),
    st.tuples(st.sampled_from(METRICS), st.just("rate"), st.just("/s")),
    st.tuples(st.sampled_from(PLAIN), st.just(""), st.just("")),
    st.tuples(st.sampled_from(PLAIN), st.just("rate"), st.just("/s")),
)
parts = st.tuples(subjects, st.sampled_from(("<", "<=", ">", ">=")), st.integers(0, 10**6))


@given(parts, st.sampled_from(("", " ")))
def test_what_is_written_by_the_grammar_is_read_back(
    part: tuple[tuple[str, str, str], str, int], space: str
) -> None:
    (name, statistic, unit), sign, number = part
    subject = f"{name}.{statistic}" if statistic else name
    check = parse_check(f"{subject}{space}{sign}{space}{number}{space}{unit}")
    assert check == Check(
        expression=f"{subject}{space}{sign}{space}{number}{space}{unit}".strip(),
        name=name,
        statistic=statistic,
        operator=sign,
        bound=number * (MS if unit == "ms" else 1),
        unit=unit,
    )


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
    ("text", "passed", "wanted", "got"),
    [
        ("message.p50 < 50ms", True, "< 50 ms", "10.0024 ms"),
        ("message.p95 < 50ms", False, "< 50 ms", "100.008 ms"),
        ("message.p99.9 <= 0.2s", True, "<= 0.2 s", "0.100008 s"),
        ("message.min > 9000us", True, "> 9000 us", "9994.24 us"),
        ("message.max < 100ms", False, "< 100 ms", "100.008 ms"),
        ("message.mean < 18ms", True, "< 18 ms", "17.3434 ms"),
        ("message.count >= 98", True, ">= 98", "98"),
        ("message.count > 98", False, "> 98", "98"),
        ("message.rate >= 9.8/s", True, ">= 9.8/s", "9.8/s"),
        ("open.rate < 0.4 /s", False, "< 0.4/s", "0.4/s"),
        ("message.lost.count <= 2", True, "<= 2", "2"),
        ("lost <= 1", False, "<= 1", "2"),
        ("late <= 0", True, "<= 0", "0"),
        ("lost.rate <= 2%", True, "<= 2 %", "2 %"),
        ("lost.rate < 2%", False, "< 2 %", "2 %"),
        ("timeouts.rate <= 1%", True, "<= 1 %", "1 %"),
        ("duplicates.rate <= 5%", True, "<= 5 %", "5 %"),
        ("unsent.rate <= 20%", True, "<= 20 %", "20 %"),
        ("lost.rate <= 0.2/s", True, "<= 0.2/s", "0.2/s"),
        ("failures < 5", False, "< 5", "5"),
        ("failures.rate < 4%", False, "< 4 %", "4.54545 %"),
        ("failures.rate < 1/s", True, "< 1/s", "0.5/s"),
        ("open_failures.rate <= 20%", True, "<= 20 %", "20 %"),
        ("login_failures.rate <= 20%", False, "<= 20 %", "25 %"),
        ("bytes_in.rate < 600000/s", True, "< 600000/s", "500000/s"),
        ("bytes_in <= 5000000", True, "<= 5000000", "5000000"),
        ("cpu_ns <= 4s", True, "<= 4 s", "4 s"),
        ("cpu_ns.rate < 85%", True, "< 85 %", "40 %"),
    ],
)
def test_a_run_is_judged(text: str, passed: bool, wanted: str, got: str) -> None:
    outcome = evaluate(parse_check(text), RUN)
    assert outcome == CheckOutcome(expression=text, passed=passed, wanted=wanted, got=got)


@pytest.mark.parametrize(
    "text", ["login.p99 < 1s", "login.p99 > 1ns", "login.min < 1s", "login.mean < 1s", "login.max < 1s"]
)
def test_without_samples_a_check_fails_and_says_so(text: str) -> None:
    outcome = evaluate(parse_check(text), RUN)
    assert (outcome.passed, outcome.got) == (False, "no samples")


@pytest.mark.parametrize("text", ["lost.rate < 100%", "unsent.rate < 100%", "failures.rate < 100%"])
def test_a_share_of_nothing_is_no_sample(text: str) -> None:
    idle = Totals.of([Interval(start_s=1.0, length_s=1.0, gauges={"users": 1})])
    outcome = evaluate(parse_check(text), idle)
    assert (outcome.passed, outcome.got) == (False, "no samples")
    assert evaluate(parse_check("lost <= 0"), idle).passed


@pytest.mark.parametrize("text", ["lost <= 0", "failures < 1", "message.count < 5", "message.rate < 5/s"])
def test_a_run_that_recorded_nothing_passes_nothing(text: str) -> None:
    outcome = evaluate(parse_check(text), Totals())
    assert (outcome.passed, outcome.got) == (False, "no samples")


OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(parts)
def test_the_outcome_is_the_comparison(part: tuple[tuple[str, str, str], str, int]) -> None:
    (name, statistic, unit), sign, number = part
    expression = f"{name}.{statistic} {sign} {number}{unit}" if statistic else f"{name} {sign} {number}"
    outcome = evaluate(parse_check(expression), RUN)
    if outcome.got != "no samples":
        got = float(outcome.got.removesuffix("/s").removesuffix(" ms"))
        if got != pytest.approx(number, rel=1e-5):
            assert outcome.passed == OPERATORS[sign](got, number)
    else:
        assert not outcome.passed
        assert name not in RUN.histograms
