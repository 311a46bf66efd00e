"""What a comparison says: the verdict, its tables, and every markup they are shown in."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.stored_runs import LATE, OPTIONS, SERVED, store_run, store_sides

from wsload.errors import UsageError
from wsload.judge.compare.verdict import Gate, Verdict
from wsload.report.comparison.comparison import ComparisonReport, make_report
from wsload.report.comparison.html import chart_data, render, write_page
from wsload.report.comparison.server import SERVER
from wsload.report.comparison.tables import basis_sentence, judgements_table, runs_table, sides_table
from wsload.report.comparison.text import as_json, as_text, markdown

GATE = Gate()
NASTY = "<script>alert(1)</script>|`*_\x1b[31m"


def compared(tmp_path: Path, **settings: object) -> ComparisonReport:
    return make_report(*store_sides(tmp_path, **settings), gate=GATE)


# The verdict


def test_a_slower_build_is_named_with_its_metrics(tmp_path: Path) -> None:
    report = compared(tmp_path, slower=1.5)
    assert report.comparison.exit_code == 1
    assert report.headline.startswith(
        "B (v2) is slower than A (v1): open, login, message, delivery; message p50 by 1."
    )
    assert report.warnings == ()
    assert set(report.curves) == {"open", "login", "message", "delivery"}


def test_a_faster_one_too(tmp_path: Path) -> None:
    report = compared(tmp_path, slower=0.5)
    assert report.comparison.exit_code == 0
    assert report.headline.startswith("B (v2) is faster than A (v1): open, login, message, delivery; ")


def test_the_same_is_said_with_its_bound(tmp_path: Path) -> None:
    sides = store_sides(tmp_path, pairs=6)
    report = make_report(*sides, gate=Gate(judged=("message.p50",)))
    assert report.comparison.verdict is Verdict.SAME
    assert re.fullmatch(
        r"B \(v2\) is as fast as A \(v1\), within [\d.]+ % in all that was judged", report.headline
    )


def test_what_can_not_be_told_is_said_and_what_it_would_take(tmp_path: Path) -> None:
    sides = store_sides(tmp_path, pairs=2)
    report = make_report(
        *sides, gate=Gate(judged=("message.p99", "message.p50"), same_within=0.04, shift_ns=0)
    )
    assert report.comparison.exit_code == 4
    assert report.headline == (
        "It can't be told yet whether B (v2) is slower than A (v1) in message: nothing is shown to be slower"
    )
    assert re.search(r"inconclusive \(\+\d+ pairs\)", str(judgements_table(report).rows))


def test_without_valid_runs_nothing_is_compared(tmp_path: Path) -> None:
    report = compared(tmp_path, bad=tuple(range(8)))
    assert report.comparison.exit_code == 3
    assert report.headline == "Nothing can be compared: without a valid run of A (v1) and B (v2)"
    assert basis_sentence(report) == ""
    assert sides_table(report).rows == ()
    assert runs_table(report).rows[0][-1] == "no"
    assert runs_table(report).notes[0].endswith(f"not valid: {LATE.text}")
    assert as_text(report).startswith("NO VALID RUNS  Nothing can be compared")
    assert "Nothing can be compared" in markdown(report)
    assert b"No valid runs." in render(report)


def test_what_only_one_side_recorded_can_not_be_judged(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in (0, 3)]
    b = [store_run(tmp_path, "v2", at=at, metrics=("message",)) for at in (1, 2)]
    report = make_report(a, b, gate=Gate(judged=("message.p50", "login.p99"), same_within=0.5))
    assert report.comparison.exit_code == 4
    assert report.headline == "login.p99 could not be judged: nothing is shown to be slower"
    assert "not judged: no samples in the candidate's runs" in str(judgements_table(report).rows[-1])
    assert set(report.curves) == {"message"}


def test_runs_that_recorded_nothing_judged_are_inconclusive(tmp_path: Path) -> None:
    sides = [
        [store_run(tmp_path, name, at=at, metrics=("ping",)) for at in (2, at0)]
        for at0, name in ((0, "v1"), (1, "v2"))
    ]
    report = make_report(*sides, gate=GATE)
    assert report.comparison.exit_code == 4
    assert report.headline.startswith("The runs recorded nothing that is judged")
    assert b"comparison" in render(report)


# Conditions


def test_runs_under_other_conditions_are_refused_unless_forced(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in (0, 3)]
    b = [store_run(tmp_path, "v2", at=at, options=OPTIONS | {"num_users": 40}) for at in (1, 2)]
    with pytest.raises(
        UsageError, match=r"the runs differ in users: 20 in .*; 40 in .*; --force compares"
    ) as caught:
        make_report(a, b, gate=GATE)
    assert "\n" not in str(caught.value)
    report = make_report(a, b, gate=GATE, force=True)
    assert report.warnings[0].startswith("the runs differ in users")
    assert len(report.warnings) == 1


def test_forced_runs_that_are_not_valid_are_named(tmp_path: Path) -> None:
    report = make_report(*store_sides(tmp_path, bad=(1,)), gate=GATE, force=True)
    assert len(report.comparison.pairs) == 4
    assert report.warnings[0].endswith(f"is used all the same (--force): not valid: {LATE.text}")


def test_loads_that_were_not_the_same_are_warned_of(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in (0, 3)]
    b = [store_run(tmp_path, "v2", at=at, per_second=100) for at in (1, 2)]
    report = make_report(a, b, gate=GATE)
    assert report.warnings[-1].startswith(
        "the load was not the same: 200 messages a second were sent to A and 100 to B"
    )


def test_one_run_a_side_never_goes_without_its_warning(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v2", at=1, factor=3)
    report = make_report([a], [b], gate=GATE)
    assert report.comparison.within_run_only
    for shown in (as_text(report), markdown(report), render(report).decode()):
        assert "one run a side: how runs of one build differ" in " ".join(shown.split())
    assert set(report.curves) == {"open", "login", "message", "delivery"}


def test_a_side_without_runs_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="side B has no runs"):
        make_report([store_run(tmp_path, "v1")], [], gate=GATE)


def test_sides_of_one_build_are_told_apart_by_their_letters(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v1", at=1)
    report = make_report([a], [b], gate=GATE)
    assert (report.a, report.b) == ("A", "B")


# Markup


def nasty(tmp_path: Path) -> ComparisonReport:
    a = [store_run(tmp_path, NASTY, at=at) for at in (0, 3)]
    b = [store_run(tmp_path, "v2", at=at) for at in (1, 2)]
    (a[0] / SERVER).write_bytes(SERVED.to_json())
    return make_report(a, b, gate=GATE)


class Elements(HTMLParser):
    """The elements of a page, and where it would load something from."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [
            value or "" for name, value in attrs if name in ("src", "href") and value != "data:,"
        ]


def test_the_page_is_one_file_and_what_is_foreign_stays_text(tmp_path: Path) -> None:
    page = render(nasty(tmp_path)).decode()
    elements = Elements(page)
    assert elements.sources == []
    assert elements.tags.count("script") == 4  # the data, and three of ours
    assert "<script>alert(1)" not in page
    assert "A (&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert len(page) < 400_000


def test_the_page_holds_the_figures_it_draws(tmp_path: Path) -> None:
    report = compared(tmp_path, bad=(0,))
    page = render(report).decode()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert data == json.loads(json.dumps(chart_data(report)))
    assert [run["used"] for run in data["runs"]] == [False, False, *[True] * 6]
    assert [each["name"] for each in data["judged"]] == [each.name for each in report.comparison.judgements]
    curve = data["curves"]["message"]
    assert len({len(column) for column in curve.values()}) == 1
    assert all(
        low <= mid <= high for low, mid, high in zip(curve["aLow"], curve["a"], curve["aHigh"], strict=True)
    )


def test_the_page_is_written_or_the_option_named(tmp_path: Path) -> None:
    report = compared(tmp_path / "runs")
    write_page(report, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == render(report)
    with pytest.raises(UsageError, match=r"--html '.*nowhere.*': can't be written"):
        write_page(report, tmp_path / "nowhere" / "page.html")


def test_in_the_terminal_nothing_foreign_steers_it(tmp_path: Path) -> None:
    text = as_text(nasty(tmp_path))
    assert "\x1b" not in text
    assert "server’s CPU, of one core" in text


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_figures_fit_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = as_text(compared(tmp_path, slower=1.2)).splitlines()
    if columns != "60":
        assert max(map(len, lines)) <= int(columns)
    assert lines[0].startswith("SLOWER  B (v2) is slower than A (v1)")
    assert sum("message.p99" in line for line in lines) == 1


def test_in_markdown_what_is_foreign_stays_text(tmp_path: Path) -> None:
    text = markdown(nasty(tmp_path))
    assert "<script>" not in text
    rows = [line for line in text.splitlines() if line.startswith("| message.p99")]
    assert len(rows) == 1 and rows[0].count("|") == 7
    assert text.endswith("</details>\n")


def test_json_has_everything_for_programs(tmp_path: Path) -> None:
    data = json.loads(as_json(compared(tmp_path, slower=1.5, bad=(0,))))
    assert (data["schema"], data["verdict"], data["exit_code"]) == (1, "slower", 1)
    assert data["sides"] == {"A": "v1", "B": "v2"}
    assert len(data["judgements"]) == 12 and data["judgements"][0]["sentence"].startswith("slower by")
    assert [run["side"] for run in data["runs"]] == list("ABBAABBA")
    assert data["runs"][0]["doubt"] == f"not valid: {LATE.text}"
    assert len(data["pairs"]) == 3 and len(data["excluded"]) == 2
