from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import METRICS, intervals
from support.made_runs import STARTED_AT, UNTRUSTED, make_run, second

from wsload.errors import NotWritten, ResultsError
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import Kind
from wsload.report.html import render, write_report
from wsload.report.page import page
from wsload.report.run_report import read_report
from wsload.report.tables import FEW, OWN_TIMES
from wsload.results.run import CheckOutcome, CheckState, RunWarning

EVIL = """<script>alert("1")</script><img src=x onerror='alert(2)'>]]>&amp;{{ 7*7 }}\u2028"""


class Parsed(HTMLParser):
    """What a browser would make of the page: elements, attributes, texts, and the scripts' contents."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.within: dict[str, list[str]] = {"script": [], "style": []}
        self._raw = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._raw = tag if tag in self.within else ""
        if self._raw:
            self.within[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""
        self.text += " "

    def handle_data(self, data: str) -> None:
        if self._raw:
            self.within[self._raw][-1] += data
        else:
            self.text += data

    @property
    def data(self) -> Any:
        return json.loads(self.within["script"][0])

    def said(self, words: str) -> bool:
        return words in " ".join(self.text.split())


def report_of(directory: Path) -> Parsed:
    return Parsed(write_report(directory).read_text("utf-8"))


def test_a_valid_run_says_so_and_shows_its_figures(tmp_path: Path) -> None:
    path = make_run(tmp_path, (second(at, [1, 2, 30] * 20, gauges={"users": 2}) for at in range(3)))
    found = report_of(path)
    assert found.said("Trusted up to the maximum (message).")
    assert found.said("message p99 30.0 ms")
    assert found.said("No failures.")
    assert found.data["tracks"]["message"][3] == [30.0, 30.0, 30.0]
    assert not any("bad" in (attributes.get("class") or "") for _, attributes in found.tags)


def test_a_run_that_is_not_valid_begins_with_a_red_banner_and_the_reason(tmp_path: Path) -> None:
    warnings = (
        RunWarning(name="clock", text="no timerfd"),
        RunWarning(name="cpu", text="CPU 96 % of one core", remedy="use --processes 4", invalidates=True),
    )
    checks = (CheckOutcome(expression="lost < 1", state=CheckState.FAILED, wanted="< 1", got="7"),)
    run = make_run(tmp_path, [second(0, [1])], trust=UNTRUSTED, warnings=warnings, checks=checks)
    found = report_of(run)
    assert ("p", {"class": "banner bad"}) in found.tags
    assert found.said("Not trusted: late. Remedy: use --processes 4.")
    assert found.said("1 of 1 check failed.")
    assert found.said("CPU 96 % of one core use --processes 4")
    assert found.said("failed lost < 1 got 7")
    assert found.text.index("CPU 96") < found.text.index("no timerfd") < found.text.index("Latency")


def test_a_killed_run_is_rebuilt_and_named_as_incomplete(tmp_path: Path) -> None:
    found = report_of(make_run(tmp_path, [second(0, [5, 5])], trust=None))
    assert found.said("Incomplete: these figures were rebuilt")
    assert found.said("summary.json is missing")
    assert found.said("message p50 5.00 ms")


def test_after_a_damaged_line_the_rest_is_left_out_and_said(tmp_path: Path) -> None:
    path = make_run(tmp_path, (second(at, [at + 1]) for at in range(4)))
    log = path / "histograms.hlog"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-2], b"not a histogram\n", *lines[-1:]]))
    found = report_of(path)
    assert found.said("Incomplete: these figures were rebuilt")
    assert found.said("line 9: not a line of a histogram log")
    highest = found.data["tracks"]["message"][3]
    assert highest[0] == 1.0
    assert not {3.0, 4.0} & set(highest)


def test_a_damaged_summary_hides_nothing(tmp_path: Path) -> None:
    path = make_run(tmp_path, [second(0, [5, 5])])
    (path / "summary.json").write_bytes(b"[]\n")
    found = report_of(path)
    assert found.said("Incomplete: these figures were rebuilt")
    assert found.said("message p50 5.00 ms")


def test_a_run_that_measured_nothing_has_a_report(tmp_path: Path) -> None:
    assert report_of(make_run(tmp_path, [])).said("Nothing was measured.")


def test_a_run_of_a_newer_wsload_is_refused(tmp_path: Path) -> None:
    path = make_run(tmp_path, [second(0, [1])])
    (path / "run.json").write_bytes(b'{"schema": 3}\n')
    with pytest.raises(ResultsError, match="written by a newer wsload"):
        write_report(path)
    assert not (path / "report.html").exists()


def test_a_directory_that_cant_be_written_to_is_named(tmp_path: Path) -> None:
    path = make_run(tmp_path, [second(0, [1])])
    (path / "report.html").mkdir()
    with pytest.raises(NotWritten, match=r"report\.html: can't be written"):
        write_report(path)


def evil_run(results: Path) -> Path:
    parts = {
        "counters": {EVIL: 3, "sent": 1},
        "gauges": {EVIL: 2, "users": 1},
        "failures": {("open", EVIL): 5, (EVIL, "refused"): 1},
    }
    return make_run(
        results,
        [second(0, [1], **parts), second(1, [1])],
        build=EVIL,
        target=f"ws://127.0.0.1/{EVIL}",
        options={"ws_url": EVIL, "ws_rate": EVIL, "tags": [EVIL]},
        warnings=(RunWarning(name=EVIL, text=EVIL, remedy=EVIL),),
        checks=(CheckOutcome(expression=EVIL, state=CheckState.FAILED, wanted=EVIL, got=EVIL),),
    )


def test_text_of_others_stays_text(tmp_path: Path) -> None:
    harmless = report_of(make_run(tmp_path, [second(0, [1]), second(1, [1])]))
    found = report_of(evil_run(tmp_path))
    scripts = [attributes for tag, attributes in found.tags if tag == "script"]
    assert scripts == [attributes for tag, attributes in harmless.tags if tag == "script"]
    assert not [tag for tag, _ in found.tags if tag == "img"]
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert found.said('<script>alert("1")</script>')
    assert f"open: {EVIL}" in [kind["kind"] for kind in found.data["failures"]]


def test_only_the_pages_own_scripts_and_styles_may_run_and_nothing_may_be_fetched(tmp_path: Path) -> None:
    found = report_of(evil_run(tmp_path))
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split("; ")}
    assert rules["default-src"] == rules["connect-src"] == ["'none'"]
    assert rules["img-src"] == ["data:"]
    for tag, texts in (("script", found.within["script"][1:]), ("style", found.within["style"])):
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules[f"{tag}-src"] == [f"'sha256-{each}'" for each in hashes]
    addresses = [
        value
        for _, a in found.tags
        for name, value in a.items()
        if name in ("src", "href", "action", "style")
    ]
    assert addresses == ["data:,"]


@given(st.lists(intervals(), max_size=4))
def test_whatever_was_recorded_makes_a_page(
    tmp_path_factory: pytest.TempPathFactory, run: list[Interval]
) -> None:
    path = make_run(tmp_path_factory.mktemp("results"), run, started_at=1.6e9)
    report = read_report(path)
    found = Parsed(render(report).decode())
    assert len(found.data["at"]) == len(report.series.at_s)
    metrics = set(report.summary.metrics)
    assert set(found.data["curves"]) == (set() if metrics <= OWN_TIMES else metrics)


def test_a_long_run_with_every_metric_and_many_failures_stays_under_400_kb(tmp_path: Path) -> None:
    def busy(at: int) -> Interval:
        histograms = {
            metric: Histogram.of(range(100_000 + 997 * at + 13 * place, 90_000_000, 1_313_131))
            for place, metric in enumerate(METRICS)
        }
        failures = {("message", f"kind {kind}"): 1 + at % 7 for kind in range(9)}
        return second(at, histograms=histograms, failures=failures, gauges={"users": 1000 + at % 3})

    path = write_report(make_run(tmp_path, map(busy, range(600))))
    assert path.stat().st_size < 400_000
    found = Parsed(path.read_text("utf-8"))
    assert len(found.data["at"]) == 600
    assert [kind["kind"] for kind in found.data["failures"]][-1] == "others"


def test_an_hours_heat_map_and_charts_are_shorter_than_its_seconds(tmp_path: Path) -> None:
    found = report_of(make_run(tmp_path, (second(at, [1 + at % 5]) for at in range(3600))))
    assert len(found.data["at"]) == 450
    assert found.data["width"] == 8
    assert len(found.data["heat"]["message"]["at"]) <= 200
    assert found.said("Each point stands for 8 s.")


def test_interruptions_are_listed_and_shaded(tmp_path: Path) -> None:
    calm = {"users": 10, "connections": 10}
    gone = second(2, failures={("close", "closed 1006"): 10}, gauges={"users": 10, "connections": 0})
    back = second(3, [1], counters={"reconnects": 10}, gauges=calm)
    run = [second(0, [1], gauges=calm), second(1, [1], gauges=calm), gone, back, second(4, [1], gauges=calm)]
    found = report_of(make_run(tmp_path, run))
    assert found.data["interruptions"] == [[2, 4]]
    assert found.said("Shaded in red: connections were lost.")
    assert found.said("0:02 0:04 10 0 10")


def test_the_phases_of_opening_fill_their_bar(tmp_path: Path) -> None:
    histograms = {
        "open": Histogram.of([10_000_000]),
        "open.tcp": Histogram.of([2_000_000]),
        "open.upgrade": Histogram.of([6_000_000]),
    }
    found = report_of(make_run(tmp_path, [Interval(start_s=STARTED_AT, length_s=1.0, histograms=histograms)]))
    bars = [a for tag, a in found.tags if tag == "rect" and "y" in a]
    places = [(float(bar["x"] or ""), float(bar["width"] or "")) for bar in bars]
    assert places == [pytest.approx((0, 250), abs=0.5), pytest.approx((250, 750), abs=0.5)]
    assert found.said("open.tcp 25 % 2.00")
    assert re.search(r"open includes 2\.\d+ ms on average", " ".join(found.text.split()))


def test_each_process_has_a_row_whatever_the_summary_holds(tmp_path: Path) -> None:
    path = make_run(tmp_path, [second(0, [1])])
    summary = json.loads((path / "summary.json").read_bytes())
    figures = {"count": 900, "p50_ns": 1_000_000, "p99_ns": 4_000_000}
    summary["processes"] = [
        {"name": "worker 1", "cpu_peak": 0.97, "trusted_up_to": 0.0, "message": figures, "send_lag": figures},
        {"name": None, "message": [], "send_lag": {"p99_ns": "x"}},
        "odd",
    ]
    (path / "summary.json").write_text(json.dumps(summary))
    found = report_of(path)
    assert found.said("worker 1 97 % message 1.00 4.00 4.00 NO")
    assert found.said("this process")


def test_a_process_without_answers_is_not_trusted_for_any(tmp_path: Path) -> None:
    path = make_run(tmp_path, [second(0, [1])])
    summary = json.loads((path / "summary.json").read_bytes())
    for process in ({"leading": None, "trusted_up_to": None}, {"trusted_up_to": 100.0}):  # today's, older
        summary["processes"] = [{"name": "", "cpu_peak": 0.5, **process}]
        (path / "summary.json").write_text(json.dumps(summary))
        found = report_of(path)
        assert found.said("process CPU peak this process 50 % ") and not found.said("trusted up to")


def test_without_an_answer_there_are_no_charts_of_latency(tmp_path: Path) -> None:
    lag = {"loop_lag": Histogram.of([1_000_000] * 1000)}
    nobody = Interval(start_s=STARTED_AT, length_s=1.0, histograms=lag, names={"message": Kind.REQUEST})
    found = report_of(make_run(tmp_path, [nobody]))
    assert found.data["curves"] == found.data["tracks"] == {}
    assert found.said("Nothing was measured.")
    assert found.said("loop_lag 1,000")
    assert not found.said("By name")


def test_what_a_dash_means_is_told_once_for_all_names(tmp_path: Path) -> None:
    shop = {name: Histogram.of([1_000_000]) for name in ("look", "buy")}
    found = report_of(make_run(tmp_path, [Interval(start_s=STARTED_AT, length_s=1.0, histograms=shop)]))
    assert found.said("By name")
    assert " ".join(found.text.split()).count(FEW) == 1


def test_a_page_that_may_ask_its_server_says_so() -> None:
    assert b"connect-src &#39;self&#39;" in page(
        "live.html", scripts=("live.js",), connect=True, data={"base": "", "notes": ""}
    )


def test_a_figure_stays_with_its_unit(tmp_path: Path) -> None:
    path = make_run(tmp_path, [second(0, [5.0] * 300)], build="has 5 shops")
    text = Parsed(render(read_report(path)).decode()).text
    assert re.search(r"1\u00a0s long", text)
    assert "has 5 shops" in text
