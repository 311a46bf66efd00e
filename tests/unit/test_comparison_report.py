"""What a comparison says: the verdict, its tables, and every markup they are shown in."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.stored_runs import LATE, OPTIONS, SERVED, store_run, store_sides

from wsload.errors import UsageError
from wsload.judge.compare.verdict import Gate, Judgement, Verdict
from wsload.report.comparison.comparison import ComparisonReport, make_report
from wsload.report.comparison.html import chart_data, render, write_page
from wsload.report.comparison.sentences import basis_sentence, headline, named, shortened
from wsload.report.comparison.tables import judgements_table, runs_table, sides_table
from wsload.report.comparison.text import as_json, as_text, markdown
from wsload.results.server_figures import SERVER

GATE = Gate()
NASTY = "<script>alert(1)</script>|`*_\x1b[31m"


def compared(tmp_path: Path, gate: Gate = GATE, **settings: object) -> ComparisonReport:
    return make_report(*store_sides(tmp_path, **settings), gate=gate)


def one_line(text: str) -> str:
    return " ".join(text.split())


def rows(report: ComparisonReport) -> dict[str, tuple[str, ...]]:
    return {row[0]: row for row in judgements_table(report).rows}


# The verdict


def test_a_slower_build_is_named_with_its_metrics(tmp_path: Path) -> None:
    report = compared(tmp_path, slower=1.5)
    assert report.comparison.exit_code == 1
    assert re.match(
        r"B \(v2\) is slower than A \(v1\): message, open, login; message.p50 by 1.\d\d ms, \+\d\d.\d %$",
        headline(report),
    )
    assert report.warnings == ()
    assert set(report.curves) == {"open", "login", "message"}
    only = compared(tmp_path / "one", Gate(judged=("message.p50",)), slower=1.5)
    assert headline(only).startswith("B (v2) is slower than A (v1): message.p50 by 1.")
    assert rows(report)["message.p99"][-1] == "slower"


def test_a_faster_one_too(tmp_path: Path) -> None:
    report = compared(tmp_path, slower=0.5)
    assert report.comparison.exit_code == 0
    assert headline(report).startswith("B (v2) is faster than A (v1): message, open, login; ")


def test_not_slower_is_said_with_its_bound(tmp_path: Path) -> None:
    report = compared(tmp_path, pairs=6)
    assert report.comparison.verdict is Verdict.NOT_SLOWER
    assert re.fullmatch(
        r"B \(v2\) is not slower than A \(v1\): at most [\d.]+ % slower in everything that was judged",
        headline(report),
    )
    assert rows(report)["message.p50"][-1] == "not slower"


def test_a_change_that_does_not_matter_is_worded_by_its_time(tmp_path: Path) -> None:
    """+65 % of 0.15 ms was "same within 65.1 %"."""
    gate = Gate(shift_ns=3_000_000, judged=("message.p50",))
    report = compared(tmp_path, gate, slower=1.65, pairs=6)
    assert (report.comparison.verdict, report.comparison.exit_code) == (Verdict.NOT_SLOWER, 0)
    row = rows(report)["message.p50"]
    assert row[-1] == "within 3.00 ms"
    assert re.match(r"\+6\d.\d %", row[3])
    assert headline(report).endswith("at most 3.00 ms slower in everything that was judged")


def test_what_can_not_be_told_is_said_and_what_it_would_take(tmp_path: Path) -> None:
    report = compared(tmp_path, Gate(judged=("message",), same_within=0.01, shift_ns=0), pairs=2)
    assert report.comparison.exit_code == 4
    assert headline(report) == ("Can't tell yet whether B (v2) is slower than A (v1); undecided: message")
    assert re.search(r"inconclusive \(\+\d+\)", str(judgements_table(report).rows))
    assert "In brackets: about how many more pairs" in str(judgements_table(report).notes)


def test_what_more_pairs_could_settle_and_what_they_can_not_are_both_said(tmp_path: Path) -> None:
    gate = Gate(judged=("message", "message.p99.9"), same_within=0.01, shift_ns=0)
    assert headline(compared(tmp_path, gate, pairs=2)) == (
        "Can't tell yet whether B (v2) is slower than A (v1); undecided: message; message.p99.9 could not be judged"
    )


def test_what_may_fail_more_is_named_too(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in (0, 3, 4)]
    b = [store_run(tmp_path, "v2", at=at, lost=5 * (at == 1)) for at in (1, 2, 5)]
    said = headline(make_report(a, b, gate=Gate(judged=("message.p50",))))
    assert said == (
        "Can't tell yet whether B (v2) is slower than A (v1) or fails more; undecided: message lost"
    )


def test_a_build_that_loses_more_fails_more_however_fast_it_is(tmp_path: Path) -> None:
    report = compared(tmp_path, Gate(judged=("message.p50",)), slower=0.4, lost=300)
    assert (report.comparison.verdict, report.comparison.exit_code) == (Verdict.FAILS_MORE, 1)
    assert headline(report) == "B (v2) fails more than A (v1): message 60 % lost, compared with 0 %"
    found = rows(report)
    assert found["message.lost"][1:4] == ("0 %", "60 %", "+60 pp")
    assert found["message.lost"][-1] == "fails more"
    assert found["message.p50"][2].startswith(">") and found["message.p50"][-1] == "not judged"
    assert "message.p50 (lies among the lost or failed" in " ".join(judgements_table(report).notes)
    assert '"message.p50": null' in as_json(report).decode()
    assert "fails more" in markdown(report)


def test_refused_openings_count_whatever_is_judged(tmp_path: Path) -> None:
    report = compared(tmp_path, Gate(judged=("message.p50",)), slower=0.5, refused=100)
    assert report.comparison.exit_code == 1
    assert headline(report).startswith("B (v2) fails more than A (v1): open 33.3 % failed, compared with 0 %")


def test_without_valid_runs_nothing_is_compared(tmp_path: Path) -> None:
    report = compared(tmp_path, bad=tuple(range(8)))
    assert report.comparison.exit_code == 3
    assert headline(report) == "Nothing can be compared: there is no valid run of A (v1) or B (v2)"
    assert basis_sentence(report) == ""
    assert sides_table(report).rows == ()
    assert runs_table(report).rows[0][-1] == "no"
    assert runs_table(report).notes[0].endswith(f"Not trusted: {LATE.text}")
    assert as_text(report).startswith("NO VALID RUNS  Nothing can be compared")
    assert "Nothing can be compared" in markdown(report)
    assert b"No valid runs." in render(report)


def test_what_only_one_side_recorded_can_not_be_judged(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in (0, 3)]
    b = [store_run(tmp_path, "v2", at=at, metrics=("message",)) for at in (1, 2)]
    report = make_report(a, b, gate=Gate(judged=("message.p50", "login.p99"), same_within=0.5))
    assert report.comparison.exit_code == 4
    assert headline(report).endswith("whether B (v2) is slower than A (v1): login.p99 could not be judged")
    assert "Not judged: login.p99 (no values in the candidate’s runs)." in judgements_table(report).notes
    assert set(report.curves) == {"message"}


def test_few_samples_are_a_footnote_by_name(tmp_path: Path) -> None:
    report = compared(tmp_path, per_second=50, pairs=6)
    report = make_report(
        [store_run(tmp_path / "a", "v1", at=at, per_second=50) for at in (0, 3)],
        [store_run(tmp_path / "a", "v2", at=at, per_second=50) for at in (1, 2)],
        gate=GATE,
    )
    assert set(rows(report)) == {"message.p50", "open.p50", "login.p50"}
    assert judgements_table(report).notes[0] == (
        "Not judged: message.p99, open.p99 and login.p99 (a run has fewer than 1,000 values, so fewer than 10 "
        "beyond it)."
    )


def test_runs_that_recorded_nothing_judged_are_inconclusive(tmp_path: Path) -> None:
    sides = [
        [store_run(tmp_path, name, at=at, metrics=("ping",), requests=()) for at in (2, at0)]
        for at0, name in ((0, "v1"), (1, "v2"))
    ]
    report = make_report(*sides, gate=GATE)
    assert report.comparison.exit_code == 4
    assert headline(report) == "The runs recorded no times that could be judged"
    assert b"comparison" in render(report)


def where_a_loses(tmp_path: Path, gate: Gate, lost: int, **settings: int) -> ComparisonReport:
    """B is three times as slow."""
    sides: tuple[list[Path], list[Path]] = ([], [])
    for at, letter in enumerate("ABBAABBA"):
        mine = {"factor": 3.0} if letter == "B" else {"lost": lost}
        sides[letter == "B"].append(store_run(tmp_path, f"v{letter}", at=at, **mine, **settings))  # type: ignore[arg-type]
    return make_report(*sides, gate=gate)


@pytest.mark.parametrize("lost", [0, 3])
def test_where_only_losses_are_judged_the_verdict_is_about_them(tmp_path: Path, lost: int) -> None:
    report = where_a_loses(tmp_path, Gate(judged=("message.lost",)), lost)
    assert report.comparison.exit_code == 0
    assert headline(report) == "B (vB) does not fail more than A (vA); no times were judged"
    assert rows(report)["message.lost"][-1] == "no more"


@pytest.mark.parametrize("lost", [0, 1])
def test_no_time_that_could_be_judged_is_no_good_verdict(tmp_path: Path, lost: int) -> None:
    report = where_a_loses(tmp_path, GATE, lost, seconds=3, per_second=5)
    assert report.comparison.exit_code == 4
    assert headline(report).startswith("Can't tell whether B (vB) is slower than A (vA): message.p50, ")


def test_the_p50_and_p99_of_every_request_are_judged(tmp_path: Path) -> None:
    names = ("get book", "buy")
    a, b = (
        [store_run(tmp_path, build, at=at, metrics=names, requests=names) for at in places]
        for build, places in (("v1", (0, 3)), ("v2", (1, 2)))
    )
    report = make_report(a, b, gate=GATE)
    assert set(rows(report)) == {"get book.p50", "get book.p99", "buy.p50", "buy.p99"}
    only = make_report(a, b, gate=Gate(judged=("get book.p95",)))
    assert set(rows(only)) == {"get book.p95"}
    assert runs_table(only).columns[3].title == "get book p50"


def test_a_statistic_that_no_run_has_is_the_users_mistake(tmp_path: Path) -> None:
    sides = store_sides(tmp_path)
    with pytest.raises(
        UsageError, match=r"--judge 'mesage.p99': did you mean 'message'\? The runs have message, "
    ):
        make_report(*sides, gate=Gate(judged=("mesage.p99",)))
    report = make_report(*sides, gate=Gate(judged=("mesage.p99",)), mixed=True)  # after hours of runs
    assert report.comparison.exit_code == 4
    assert "Not judged: mesage.p99 (no run has it)." in judgements_table(report).notes


# Conditions


def test_runs_under_other_conditions_are_refused_unless_forced(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in (0, 3)]
    b = [
        store_run(tmp_path, "v2", at=at, options=OPTIONS | {"num_users": 40, "ws_rate": "9"}) for at in (1, 2)
    ]
    with pytest.raises(UsageError) as caught:
        make_report(a, b, gate=GATE)
    assert str(caught.value) == (
        "the runs differ in --ws-rate: not given in the baseline; 9 in the candidate; they also differ in "
        "users; --force compares them anyway"
    )
    report = make_report(a, b, gate=GATE, force=True)
    assert report.warnings[1].startswith("the runs differ in users: 20 in the baseline; 40 in the candidate")
    assert len(report.warnings) == 2


def test_forced_runs_that_are_not_valid_are_named(tmp_path: Path) -> None:
    report = make_report(*store_sides(tmp_path, bad=(1,)), gate=GATE, force=True)
    assert len(report.comparison.pairs) == 4
    assert report.warnings[0].endswith(f"is used anyway (--force): Not trusted: {LATE.text}")


@pytest.mark.parametrize("force", [False, True])
def test_what_is_the_same_of_many_runs_is_said_once(tmp_path: Path, force: bool) -> None:
    report = make_report(*store_sides(tmp_path, bad=(0, 1, 2, 3)), gate=GATE, force=force)
    said = as_text(report)
    assert said.count(LATE.text) == 1
    who = f"{report.runs[0].name} and 3 more runs"
    assert (f"{who} are used anyway" if force else f"{who}: Not trusted") in one_line(said)


def test_loads_that_were_not_the_same_are_warned_of(tmp_path: Path) -> None:
    report = compared(tmp_path, per_second=100)
    assert report.warnings[-1].startswith("the load differed: A was sent 200 messages per second, B 100")


def test_one_run_a_side_says_that_it_can_not_be_told_and_how_to_go_on(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v2", at=1, factor=3)
    report = make_report([a], [b], gate=GATE)
    assert report.comparison.exit_code == 4
    for shown in (as_text(report), markdown(report), render(report).decode()):
        assert "because even two runs of the same build differ" in one_line(shown)
        assert "--scatter 5%" in one_line(shown)
    row = rows(report)["message.p50"]
    assert row[3].startswith("+") and row[4:] == ("–", "–")
    assert set(report.curves) == {"open", "login", "message"}
    stated = make_report([a], [b], gate=Gate(scatter=(("", 0.05),)))
    assert stated.comparison.exit_code == 1
    assert "the scatter between runs is as stated, not measured" in one_line(as_text(stated))


def test_many_runs_against_one(tmp_path: Path) -> None:
    a = [store_run(tmp_path, "v1", at=at) for at in range(5)]
    report = make_report(a, [store_run(tmp_path, "v2", at=5, factor=2)], gate=GATE)
    assert report.comparison.exit_code == 1
    assert basis_sentence(report).startswith("5 runs of A and 1 run of B, unpaired, of 12 s, 20 users")
    assert [row[-1] for row in runs_table(report).rows] == ["yes"] * 6
    assert report.curves["message"][0].low is not None


def test_a_side_without_runs_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="side B has no runs"):
        make_report([store_run(tmp_path, "v1")], [], gate=GATE)


def test_sides_of_one_build_are_told_apart_by_their_letters(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v1", at=1)
    report = make_report([a], [b], gate=GATE)
    assert "One run per side can't tell whether B is slower than A" in headline(report)


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


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("name", ["message", "get the order book of a market by its name"])
def test_no_column_is_lost_whatever_the_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, name: str
) -> None:
    """At 80 columns it printed no metric names, no A and no B."""
    monkeypatch.setenv("COLUMNS", str(columns))
    names = (name, "open", "login")
    a, b = (
        [store_run(tmp_path, build, at=at, metrics=names, requests=(name,), factor=factor) for at in places]
        for build, places, factor in (("a build of a long name", (0, 3), 1), ("v2", (1, 2), 1.2))
    )
    lines = as_text(make_report(a, b, gate=Gate(judged=(name, "open.p99", "login.p95")))).splitlines()
    assert max(map(len, lines)) <= columns
    heads = next(line for line in lines if "bounds" in line)
    assert re.split(r"\s{1,}", heads.strip()) == ["statistic", "A", "B", "change", "bounds", "verdict"]
    row = next(line for line in lines if re.match(r"\S.*\d\.\d\d ", line))
    assert len(re.findall(r"\d\.\d\d ", row)) >= 2
    table = lines[lines.index(heads) :]
    shown = "".join(line[: heads.index("A") - 4].strip() for line in table).replace(" ", "")
    assert f"{name}.p50".replace(" ", "") in shown


def test_footnotes_come_once_and_not_in_every_row(tmp_path: Path) -> None:
    text = as_text(compared(tmp_path, slower=1.2))
    assert " ".join(text.split()).count("at the upper bound") == 1
    assert all(len(row[-1]) < 20 for row in judgements_table(compared(tmp_path / "b", pairs=2)).rows)


def test_in_markdown_what_is_foreign_stays_text(tmp_path: Path) -> None:
    text = markdown(nasty(tmp_path))
    assert "<script>" not in text
    found = [line for line in text.splitlines() if line.startswith("| message.p99")]
    assert len(found) == 1 and found[0].count("|") == 7
    assert text.endswith("</details>\n")


def test_json_has_everything_for_programs(tmp_path: Path) -> None:
    data = json.loads(as_json(compared(tmp_path, slower=1.5, bad=(0,))))
    assert (data["schema"], data["verdict"], data["exit_code"]) == (2, "slower", 1)
    assert data["sides"] == {"A": "v1", "B": "v2"}
    assert len(data["judgements"]) == 6
    first = data["judgements"][0]
    assert (first["name"], first["unit"], first["verdict"]) == ("message.p50", "ns", "slower")
    assert first["low"] < first["ratio"] < first["high"]
    assert [run["side"] for run in data["runs"]] == list("ABBAABBA")
    assert data["runs"][0]["doubt"] == f"Not trusted: {LATE.text}"
    assert data["runs"][0]["values"]["message.p50"] > 1e6
    assert len(data["pairs"]) == 3 and len(data["excluded"]) == 2


def test_names_and_percentiles_with_dots_are_told_apart() -> None:
    names = ("message.p50", "message.p99.9", "v1.2.p50", "v1.2.p99.9", "v1.2.lost")
    judgements = [
        Judgement(
            name=name, is_share=name.endswith("lost"), baseline=1, candidate=1, change=1, pairs=2,
            verdict=Verdict.FASTER if name == "message.p50" else Verdict.INCONCLUSIVE,
        )
        for name in names
    ]  # fmt: skip
    assert named(judgements, Verdict.INCONCLUSIVE) == "message p99.9, v1.2"
    assert named(judgements, Verdict.FASTER) == "message p50"


def test_many_names_are_counted_instead() -> None:
    assert shortened(["a", "b"]) == "a, b"
    assert shortened(list("abcdef")) == "a, b, c, d, 2 more"
