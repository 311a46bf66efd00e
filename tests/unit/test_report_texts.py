"""Markdown, JUnit, JSON and CSV of one run, and the words they share."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import METRICS
from support.made_runs import UNTRUSTED, make_run, second

from wsload.judge.run.standing import CUT_SHORT
from wsload.measure.names import Kind, Labels, labels
from wsload.report.conditions import shown
from wsload.report.junit import junit
from wsload.report.markdown import escaped, markdown
from wsload.report.plain_data import as_csv, as_json
from wsload.report.run_report import RunReport, read_report
from wsload.results.run import CheckOutcome, CheckState, RunWarning

PASSED = CheckOutcome(expression="message.p50 < 2ms", state=CheckState.PASSED, wanted="< 2 ms", got="1 ms")
FAILED = CheckOutcome(expression="lost < 1", state=CheckState.FAILED, wanted="< 1", got="7")
BUSY = RunWarning(name="cpu", text="CPU 96 % of one core", remedy="use --processes 4", invalidates=True)
EVIL = "<script>|x|\n# `a` *b* [c](d) & \x1b[31m"


@pytest.fixture
def good(tmp_path: Path) -> RunReport:
    run = [second(0, [1] * 10, gauges={"users": 3}), second(1, [3] * 10)]
    return read_report(make_run(tmp_path, run, options={"ws_rate": "10"}, checks=(PASSED,)))


@pytest.fixture
def bad(tmp_path: Path) -> RunReport:
    return read_report(
        make_run(tmp_path, [second(0, [1])], trust=UNTRUSTED, warnings=(BUSY,), checks=(PASSED, FAILED))
    )


@pytest.fixture
def killed(tmp_path: Path) -> RunReport:
    return read_report(make_run(tmp_path, [second(0, [1])], trust=None))


@pytest.fixture
def evil(tmp_path: Path) -> RunReport:
    check = CheckOutcome(expression=EVIL, state=CheckState.FAILED, wanted=EVIL, got=EVIL)
    run = [second(0, [1], failures={("open", EVIL): 2}, counters={EVIL: 1})]
    return read_report(make_run(tmp_path, run, build=EVIL, target=EVIL, checks=(check,)))


def test_markdown_tells_the_verdict_the_checks_and_the_tables(good: RunReport) -> None:
    text = markdown(good)
    assert "2 s long, 3 users, open workload, 10/s" in text
    assert "**Trusted up to the maximum (message).** All checks passed." in text
    assert "| passed | message.p50 &lt; 2ms | &lt; 2 ms | 1 ms |" in text
    assert "| message | 20 | 10.0 | 1.00 | 3.00 | 3.00 | – | – | 3.00 |" in text
    assert "\n– means too few values for this percentile: it would be their maximum.\n" in text
    assert text.endswith("|\n")


def test_markdown_of_a_run_that_is_not_valid_is_an_alert(bad: RunReport, killed: RunReport) -> None:
    text = markdown(bad)
    assert "> [!CAUTION]\n> **Not trusted: late.** Remedy: use --processes 4." in text
    assert "1 of 2 checks failed." in text
    assert "- **CPU 96 % of one core** (use --processes 4)" in text
    assert "> [!WARNING]\n> **Incomplete: these figures were rebuilt" in markdown(killed)


def test_markdown_of_foreign_text_is_text(evil: RunReport) -> None:
    text = markdown(evil)
    assert "<script>" not in text
    assert "\x1b" not in text
    assert r"\`a\` \*b\* \[c\](d) &amp;" in text
    rows = [line for line in text.splitlines() if line.startswith("| open |")]
    assert len(rows) == 1 and rows[0].replace(r"\|", "").count("|") == 4


def test_markdown_of_nothing_says_so(tmp_path: Path) -> None:
    assert markdown(read_report(make_run(tmp_path, []))).endswith("Nothing was measured.\n")


@given(st.text())
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    found = escaped(text)
    assert "<" not in found and "\n" not in found
    assert found.replace(r"\\", "").replace(r"\|", "").count("|") == 0
    assert len(found.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@octocat", "@&#8203;octocat"),
        ("build of @org/team, (@me)", "build of @&#8203;org/team, (@&#8203;me)"),
        ("*@me*", "\\*@&#8203;me\\*"),
        ("me@example.org", "me@example.org"),
        ("né@me", "né@&#8203;me"),
        ("at 5 @ 3", "at 5 @ 3"),
    ],
)
def test_nobody_is_mentioned_by_foreign_text(text: str, shown: str) -> None:
    """GitHub notifies the user named after an @ in the page, escaped or not."""
    assert escaped(text) == shown


def test_junit_has_a_case_for_validity_and_one_for_each_check(bad: RunReport) -> None:
    root = ElementTree.fromstring(junit(bad))
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    assert suite.get("timestamp") == "2024-11-22T12:36:00"
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["the run can be trusted", "message.p50 < 2ms", "lost < 1"]
    valid, passed, failed = cases
    assert valid[0].tag == "failure" and valid[0].text == "CPU 96 % of one core: use --processes 4"
    assert not len(passed)
    assert failed[0].get("message") == "wanted < 1, got 7"


@pytest.mark.parametrize(
    ("allowed", "named", "tag"),
    [(True, "cpu", "skipped"), (False, "cpu", "failure"), (True, CUT_SHORT, "failure")],
)
def test_junit_of_figures_that_may_be_untrusted_says_so_without_a_failure(
    tmp_path: Path, allowed: bool, named: str, tag: str
) -> None:
    """As the exit code does: with ``--ws-allow-invalid`` a run passes, unless its users had to be dropped."""
    path = make_run(
        tmp_path,
        [second(0, [1] * 10)],
        options={"ws_allow_invalid": allowed},
        trust=UNTRUSTED,
        warnings=(replace(BUSY, name=named),),
        checks=(PASSED,),
    )
    root = ElementTree.fromstring(junit(read_report(path)))
    (suite,) = root
    for each in (root, suite):
        assert (each.get("failures"), each.get("errors")) == (str(int(tag == "failure")), "0")
    assert suite.get("skipped") == str(int(tag == "skipped"))
    (said,) = suite.findall("testcase")[0]
    assert (said.tag, said.get("message")) == (tag, UNTRUSTED.verdict)


def test_junit_of_a_good_run_has_no_failure(good: RunReport) -> None:
    root = ElementTree.fromstring(junit(good))
    assert (root.get("failures"), root.get("errors"), root.get("time")) == ("0", "0", "2.000")
    assert not list(root.iter("failure"))


def test_junit_of_a_killed_run_is_an_error(killed: RunReport) -> None:
    root = ElementTree.fromstring(junit(killed))
    assert (root.get("failures"), root.get("errors")) == ("0", "1")
    (error,) = root.iter("error")
    assert error.text is not None and "summary.json is missing" in error.text


def test_junit_can_be_read_whatever_others_wrote(evil: RunReport) -> None:
    case = ElementTree.fromstring(junit(evil)).findall(".//testcase")[1]
    assert case.get("name") == "<script>|x| # `a` *b* [c](d) & \ufffd[31m"


def test_json_is_the_runs_files_with_exact_figures(good: RunReport, killed: RunReport) -> None:
    found = json.loads(as_json(good))
    assert found["standing"] == "trusted" and found["problems"] == []
    assert found["run"]["build"] == "v1"
    assert found["summary"]["metrics"]["message"]["p50_ns"] == good.summary.metrics["message"].p50_ns
    assert json.loads(as_json(killed))["summary"]["metrics"]["message"]["count"] == 1


def test_csv_is_a_line_a_metric_in_ns(good: RunReport) -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv(good)))
    assert row["metric"] == "message"
    assert (int(row["count"]), int(row["p99_ns"])) == (20, good.summary.metrics["message"].p99_ns)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["a", 1], "a, 1"),
        (True, "yes"),
        ({"a": None, "b": [1, 2]}, "a null, b 1, 2"),
        (2.5, "2.5"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_values_of_options_are_shown_plainly(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_every_metric_is_explained() -> None:
    meanings = [labels().meaning(metric) for metric in METRICS]
    assert all(meanings) and len(set(meanings)) == len(METRICS)
    kinds = {labels().meaning("buy a book", kind) for kind in Kind}
    assert len(kinds) == len(Kind)
    assert labels().meaning("buy a book.service").startswith("service time")
    assert Labels(metrics={"rare": "as stored with the run"}).meaning("rare") == "as stored with the run"
