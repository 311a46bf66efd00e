"""Every name in every view: a run whose requests, steps, values and counters are called all sorts of things."""

from __future__ import annotations

import csv
import io
import json
from html import unescape
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from support.made_runs import make_run
from support.shop import (
    BUY,
    COUNTERS,
    EVIL,
    LONG,
    LONG_STORED,
    NAMES,
    REQUESTS,
    STEP,
    UNICODE,
    VALUE,
    shop_seconds,
)
from test_report_html import Parsed

from wsload.judge.figures.summary import summarize
from wsload.judge.run.checks import evaluate
from wsload.judge.run.grammar import parse_check
from wsload.judge.run.history import builds, run_line
from wsload.measure.interval import Totals
from wsload.measure.keys import join_key
from wsload.measure.names import Kind
from wsload.report.history import builds_table, history_page, runs_table
from wsload.report.html import render
from wsload.report.junit import junit
from wsload.report.markdown import escaped, markdown
from wsload.report.named import sections
from wsload.report.plain_data import as_csv, as_json
from wsload.report.run_report import RunReport, read_report
from wsload.results.reader import open_run
from wsload.results.run import CheckState


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("results"), shop_seconds())


@pytest.fixture(scope="module")
def report(path: Path) -> RunReport:
    return read_report(path)


def test_what_is_stored_is_what_was_recorded(path: Path) -> None:
    stored, recorded = open_run(path).totals(), Totals.of(shop_seconds())
    assert stored.histograms == recorded.histograms
    assert stored.counters == recorded.counters
    assert stored.failures == recorded.failures
    assert stored.names == recorded.names == {
        **dict.fromkeys(REQUESTS, Kind.REQUEST), STEP: Kind.STEP, VALUE: Kind.VALUE,
    }  # fmt: skip


def test_the_metrics_are_in_order_each_with_its_parts(report: RunReport) -> None:
    metrics = list(report.summary.metrics)
    place = metrics.index(BUY)
    assert metrics[place : place + 4] == [BUY, f"{BUY}.service", f"{BUY}.lost", f"{BUY}.failed"]
    assert metrics[-2:] == ["open", "send_lag"]
    assert report.summary.leading == BUY


def test_json_and_csv_have_every_name(report: RunReport) -> None:
    summary = json.loads(as_json(report))["summary"]
    assert {name: summary["names"][name] for name in NAMES} == dict(report.summary.names)
    assert {counter: summary["counters"][counter] for counter in COUNTERS} == COUNTERS
    rows = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [row["metric"] for row in rows] == list(report.summary.metrics)


def test_markdown_and_junit_hold_every_name_as_text(report: RunReport) -> None:
    text = markdown(report)
    for name in NAMES:
        assert f"| {escaped(name)} |" in text
    assert fromstring(junit(report)).tag == "testsuites"


def test_the_page_has_a_section_for_each_name_and_its_charts(report: RunReport) -> None:
    html = render(report).decode()
    page = Parsed(html)
    assert [each["name"] for each in page.data["names"]] == [each.name for each in sections(report.summary)]
    assert not [tag for tag, _ in page.tags if tag == "img"]
    for name in NAMES:
        assert page.said(name)
        assert name in page.data["tracks"] and name in page.data["curves"] and name in page.data["heat"]
    assert page.data["unanswered"][f"{BUY}.lost"] == [4, 4, 4, 4]
    assert page.said(f"{BUY} request: 800 answered, 16 lost (1.9 %), 8 failed (1 %)")
    assert page.said("timeout: 16, sold out: 8, late: 12")
    assert page.said("books sold 40")
    assert page.said("gaps in the feed 0")
    assert f"<strong>{EVIL}" not in html
    assert EVIL in unescape(html)


def test_a_section_says_what_became_of_each(report: RunReport) -> None:
    found = {section.name: section for section in sections(report.summary)}
    assert list(found) == list(dict.fromkeys(found)) and set(found) == set(NAMES)
    assert (found[STEP].kind, found[STEP].about) == (Kind.STEP, "40 done, 4 failed (9.1 %)")
    assert (found[VALUE].kind, found[VALUE].about, found[VALUE].more) == (Kind.VALUE, "200 recorded", ())
    assert [row[0] for row in found[BUY].times.rows] == [
        "response time", "service time", "age when lost", "time to failure",
    ]  # fmt: skip


def test_charts_are_of_the_busiest_and_tables_of_all(tmp_path: Path) -> None:
    from wsload.measure.histogram import Histogram
    from wsload.measure.interval import Interval

    names = [f"item {number:03}" for number in range(60)]
    many = {name: Histogram.of([1_000_000] * (1 + number)) for number, name in enumerate(names)}
    run = [Interval(start_s=1.8e9 + at, length_s=1.0, histograms=many) for at in range(2)]
    page = Parsed(render(read_report(make_run(tmp_path, run, started_at=1.8e9))).decode())
    assert [each["name"] for each in page.data["names"]] == names[20:]
    assert page.said("The 40 busiest names have charts; 20 more are in the tables.")
    assert page.said("item 000")


def test_a_name_is_not_told_what_was_counted_of_a_longer_one(tmp_path: Path) -> None:
    from wsload.measure.histogram import Histogram
    from wsload.measure.interval import Interval

    names = ("shop", "shop: buy")
    counted = {"shop: buy.late": 3, join_key("shop: buy", "unfinished"): 2, join_key("shop", "unfinished"): 1}
    run = Interval(
        start_s=1.8e9, length_s=1.0, counters=counted, names=dict.fromkeys(names, Kind.REQUEST),
        histograms={name: Histogram.of([1_000_000] * 50) for name in names},
    )  # fmt: skip
    report = read_report(make_run(tmp_path, [run], started_at=1.8e9))
    found = {section.name: section.more for section in sections(report.summary)}
    assert found == {"shop": ("unfinished: 1",), "shop: buy": ("late: 3", "unfinished: 2")}


def test_names_that_have_a_chart_anyway_or_no_values_are_not_said_to_lack_one(tmp_path: Path) -> None:
    from wsload.measure.histogram import Histogram
    from wsload.measure.interval import Interval

    some = {name: Histogram.of([1_000_000] * 50) for name in ("buy", "login", "delivery")}
    names = dict.fromkeys((*some, "never called"), Kind.REQUEST)
    run = [Interval(start_s=1.8e9, length_s=1.0, histograms=some, names=names)]
    page = render(read_report(make_run(tmp_path, run, started_at=1.8e9))).decode()
    assert "busiest names have charts" not in page


def test_the_largest_report_stays_bounded(tmp_path: Path) -> None:
    """All 200 names with all their parts, for ten minutes."""
    from wsload.measure.histogram import Histogram
    from wsload.measure.interval import Interval

    parts = ("", ".service", ".lost", ".failed")
    metrics = [
        f"a request with quite a long name {number:03}{part}" for number in range(200) for part in parts
    ]
    histograms = [
        {metric: Histogram.of([(1 + (at + place) % 90) * 400_000]) for place, metric in enumerate(metrics)}
        for at in range(5)
    ]
    run = (
        Interval(start_s=1.8e9 + at, length_s=1.0, histograms=histograms[at % 5]) for at in range(0, 600, 12)
    )
    assert len(render(read_report(make_run(tmp_path, run, started_at=1.8e9)))) < 1_500_000


def test_each_name_can_be_checked(path: Path) -> None:
    totals = open_run(path).totals()
    for name in (*REQUESTS, LONG):
        quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        assert evaluate(parse_check(f"{quoted}.p50 < 50ms"), totals).state is CheckState.PASSED
        assert evaluate(parse_check(f"{quoted}.lost < 99"), totals).state is CheckState.PASSED
    assert evaluate(parse_check(f'"{BUY}".p99 < 50ms'), totals).got == "more than 11.0 ms"
    assert evaluate(parse_check('"gaps in the feed" < 1'), totals).state is CheckState.PASSED


def test_the_history_follows_the_names(path: Path) -> None:
    run = open_run(path)
    line = run_line(path.name, run.info, run.problems, run.summary())
    assert line.request == BUY
    assert set(line.p50_ns) == {*NAMES, "open"}
    assert line.rate == 200.0
    (build,) = builds([line])
    assert set(build.p50_ns) == {*NAMES, "open"}
    table = runs_table([line])
    assert "name" not in [column.title for column in table.columns]
    assert table.notes == (f"rate, p50 and p99 are those of {BUY}",)
    assert len(builds_table([build]).columns) == 3 + 2 * 6
    data = Parsed(history_page([line], []).decode()).data
    assert set(data["metrics"]) == {*NAMES, "open"}


def test_runs_of_different_services_have_a_column_that_says_whose_figures_they_are(
    path: Path, tmp_path: Path
) -> None:
    from support.made_runs import second

    chat = make_run(tmp_path, [second(0, [1] * 200)])
    lines = [
        run_line(each.name, (run := open_run(each)).info, run.problems, run.summary())
        for each in (path, chat)
    ]
    table = runs_table(lines)
    assert [column.title for column in table.columns][5:8] == ["name", "p50", "p99"]
    assert [row[5] for row in table.rows] == [BUY, "message"]


def test_names_are_shown_whole_where_there_is_room_for_them(report: RunReport) -> None:
    assert LONG_STORED in markdown(report) and UNICODE in markdown(report)
    assert summarize(Totals()).leading is None
