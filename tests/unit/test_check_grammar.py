"""The grammar of checks and its error messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import COUNTERS, METRICS

from wsload.errors import UsageError
from wsload.judge.run.grammar import Check, parse_check
from wsload.measure.names import FAILING, FREE, OWN, Labels

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
        ("buy.p99 < 50ms", "buy", "p99", "<", 50e6),
        ("GET /books.p99 < 50ms", "GET /books", "p99", "<", 50e6),
        ('"sub first".p99 < 50ms', "sub first", "p99", "<", 50e6),
        ("'sub first'.p99<50ms", "sub first", "p99", "<", 50e6),
        ('"sub first" .service.p50 < 5ms', "sub first.service", "p50", "<", 5e6),
        (r'"a \"b\" \\c".count >= 5', r'a "b" \c', "count", ">=", 5),
        ("'say \"a < b\"'.rate > 1/s", 'say "a < b"', "rate", ">", 1),
        ('"mesage".p99 < 50ms', "mesage", "p99", "<", 50e6),
        ('"v1.p99".p99 < 50ms', "v1.p99", "p99", "<", 50e6),
        ("buy.lost < 1", "buy.lost", "", "<", 1),
        ("message.failed <= 0", "message.failed", "", "<=", 0),
        ('"sub first".lost.rate < 0.1%', "sub first.lost", "rate", "<", 0.1),
        ("buy.failed.rate < 2/s", "buy.failed", "rate", "<", 2),
        ("buy.lost.p99 < 10s", "buy.lost", "p99", "<", 10e9),
        ("gaps < 1", "gaps", "", "<", 1),
        ('"items sold" >= 100', "items sold", "", ">=", 100),
        ('"items sold".rate >= 10/s', "items sold", "rate", ">=", 10),
        ("refused.rate < 1%", "refused", "rate", "<", 1),
        ("grüße 🙂.p50 < 1ms", "grüße 🙂", "p50", "<", 1e6),
    ],
)
def test_what_the_grammar_allows(text: str, name: str, statistic: str, sign: str, bound: float) -> None:
    check = parse_check(text)
    assert (check.name, check.statistic, check.operator, check.bound) == (name, statistic, sign, bound)


@pytest.mark.parametrize(
    ("text", "said", "at"),
    [
        ("mesage.p99 < 50ms", "there is no 'mesage': did you mean message?", "mesage"),
        ("open.dnss.p50 < 1ms", "there is no 'open.dnss': did you mean open.dns or", "open.dnss"),
        ("lots < 1", "there is no 'lots': did you mean lost or", "lots"),
        ("mesage.service.p99 < 50ms", "there is no 'mesage': did you mean message?", "mesage"),
        ("send_lags.p99 < 50ms", "did you mean send_lag? Put a name of your own", "send_lags"),
        ("buy.avg < 50ms", "'avg' is not a statistic: did you mean mean?", "avg"),
        ("buy.p9x < 50ms", "'p9x' is not a statistic: did you mean p99 or", "p9x"),
        ("buy < 50ms", "which figure of buy? Add one, as in buy.p99", "ms"),
        ('"sub first" < 50ms', """which figure of "sub first"? Add one, as in "sub first".p99""", "ms"),
        ('"sub first".p9x < 50ms', "'p9x' is not a statistic", "p9x"),
        ('"sub first".lost.p9x < 50ms', "'p9x' is not a statistic", "p9x"),
        ('"sub first".service < 50ms', 'which figure of "sub first".service?', " < 50ms"),
        ('"sub first".p0 < 50ms', "use min", "p0"),
        ('"sub first.p99 < 50ms', "the name has no closing quote", '"sub'),
        ("'' < 5", "the name has no closing quote", "''"),
        ("buy.service < 50ms", "which figure of buy.service?", " < 50ms"),
        (
            "open.lost < 1",
            "open has no 'lost': use p50, p90, p95, p99, p99.9, p99.99, min, mean, max",
            "lost",
        ),
        ("open.lost.rate < 1%", "count, rate, failed, failed.count, failed.rate", "lost.rate"),
        ("close.failed.p99 < 1s", "close has no 'failed.p99': use p50", "failed.p99"),
        ("open.service.p50 < 1s", "open has no 'service.p50'", "service"),
        ('"open".lost.count < 1', "open has no 'lost.count'", "lost"),
        ("message.lost.rate < 5ms", "not measured in 'ms': write /s, %", "ms"),
        ("gaps.rate < 5%", "not measured in '%': write /s", "%"),
        ("message < 3ms", "which figure of message? Add one, as in message.p99", " < 3ms"),
        ("message.p9x < 50ms", "'p9x' is not a statistic: did you mean p99 or", "p9x"),
        ("message.avg < 50ms", "'avg' is not a statistic: did you mean mean?", "avg"),
        ("message.median < 50ms", "did you mean p50", "median"),
        ("message.p100 < 50ms", "did you mean max?", "p100"),
        ("message.p999 < 50ms", "did you mean p99.9 or", "p999"),
        ("message.stuff < 50ms", "use p50, p90, p95, p99, p99.9, p99.99, min, mean, max,", "stuff"),
        ("message.p0 < 50ms", "use min", "p0"),
        ("lost.p99 < 1", "lost is a total: it has a rate, and no p99", "p99"),
        ("failures.count < 1", "failures is a total", "count"),
        ("message.p99 50ms", "a comparison is missing", "50ms"),
        ("message.p99 == 50ms", "'==' is not a comparison: use < <= > or >=", "=="),
        ("message.p99 =< 50ms", "'=<' is not a comparison", "=<"),
        ("message.p99 < ms", "a non-negative number is missing", "ms"),
        ("message.p99 < -5ms", "a non-negative number is missing", "-5ms"),
        ("message.p99 <", "a non-negative number is missing", ""),
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
        ("< 50ms", "must begin with what to check", "<"),
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
        ("", "the check is empty"),
        (" \n ", "the check is empty"),
        ("x" * 400, "longer than 300"),
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
        assert check.expression == " ".join(text.split())


PLAIN = [*(counter for counter in COUNTERS if counter != "cpu_ns"), "failures"]
names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", "Zs", "Co", "Cn"]),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize("metric", sorted(OWN - FREE))
def test_a_part_that_a_metric_of_the_core_does_not_have_is_refused_with_what_it_has(metric: str) -> None:
    for part in ("lost", "failed"):
        for statistic in ("", ".count", ".rate"):
            text = f"{metric}.{part}{statistic} < 1{'/s' if statistic == '.rate' else ''}"
            if part == "failed" and metric in FAILING:
                assert parse_check(text).name == f"{metric}.failed"
            else:
                with pytest.raises(UsageError, match=rf"has no '{part}{statistic}': use .*max, count, rate"):
                    parse_check(text)


@pytest.mark.parametrize("name", [*sorted(FREE), "buy", '"open it"', '"pings"'])
def test_parts_of_what_may_be_a_request_are_accepted(name: str) -> None:
    for part in (".lost", ".failed.count", ".lost.rate", ".service.p99"):
        parse_check(f"{name}{part} < 1{'/s' if part == '.lost.rate' else 'ms' if 'p99' in part else ''}")


@given(names, st.sampled_from(("", ".service", ".lost", ".failed")), st.sampled_from("\"'"))
def test_any_name_can_be_checked_in_quotes(name: str, part: str, quote: str) -> None:
    written = name.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    check = parse_check(f"{quote}{written}{quote}{part}.p99 < 5ms")
    assert (check.name, check.statistic, check.unit) == (name + part, "p99", "ms")


def test_names_that_are_stored_with_a_run_are_known_beside_the_cores() -> None:
    known = Labels(metrics={"messages": "of another protocol"}, counters={"lots": "of another protocol"})
    assert parse_check("messages.p99 < 5ms", known).name == "messages"
    assert parse_check("lots < 5", known).name == "lots"
    assert parse_check("reconnects < 5", known).name == "reconnects"
    with pytest.raises(UsageError, match="no 'logins'"):
        parse_check("logins < 5", known)
    assert parse_check("logins < 5", Labels()).name == "logins", "a run of old, which stored none"


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
