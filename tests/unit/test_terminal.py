from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import METRICS
from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text
from support.made_runs import TRUSTED, UNTRUSTED
from support.shop import BUY, STEP, UNICODE, VALUE, shop_seconds

from wsload.judge.figures.summary import Summary, summarize
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.report.tables import FEW, Column, Table
from wsload.report.terminal import Grid, as_text, run_view, show_run
from wsload.results.run import CheckOutcome, CheckState, RunInfo, RunWarning
from wsload.results.trust import Standing

PATH = Path("results/20241122T123600Z-v1")
INFO = RunInfo(build="v1", target="ws://127.0.0.1:8000/", started_at=0.0, trust=TRUSTED)
DOUBTFUL = RunInfo(
    build="v1",
    target="ws://127.0.0.1:8000/",
    started_at=0.0,
    trust=UNTRUSTED,
    warnings=(
        RunWarning(name="cpu", text="CPU 96 % of one core", remedy="use --processes 4", invalidates=True),
        RunWarning(name="clock", text="no timerfd on this system"),
    ),
    checks=(
        CheckOutcome(
            expression="message.p99 < 50ms", state=CheckState.PASSED, wanted="< 50 ms", got="12.4 ms"
        ),
        CheckOutcome(expression="lost == 0", state=CheckState.FAILED, wanted="== 0", got="3"),
    ),
)
EVERYTHING = summarize(
    Totals.of(
        [
            Interval(
                start_s=1.0,
                length_s=1.0,
                histograms={metric: Histogram.of([60_000_000_000] * 1_234_567) for metric in METRICS},
                counters={"sent": 10**9, "lost": 3},
                gauges={"users": 20_000},
                failures={("open", "bad status 503"): 7},
                closes={1006: 7},
            )
        ]
    )
)


def shown(info: RunInfo, summary: Summary, monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    show_run(info, summary, PATH, file=stream)
    return stream.getvalue()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_largest_figures_fit_and_stand_on_one_line(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    lines = shown(DOUBTFUL, EVERYTHING, monkeypatch, columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" not in "".join(lines)
    for metric in METRICS:
        figures = next(line.split()[1:] for line in lines if line.split()[:1] == [metric])
        assert figures == ["1,234,567", "1,234,567", *["60,029"] * 6]


def test_the_verdict_comes_first_then_warnings_checks_tables_and_the_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(DOUBTFUL, EVERYTHING, monkeypatch)
    places = [
        text.index(part)
        for part in (
            "Not trusted: late.",
            "Remedy: use --processes 4.",
            "CPU 96 % of one core",
            "no timerfd on this system",
            "passed  message.p99 < 50ms  (got 12.4 ms)",
            "FAILED  lost == 0  (got 3)",
            "metric",
            "bad status 503",
            "1006",
            "requests lost 3",
            "Lateness of the load generator",
            "send_lag",
            f"Results: {PATH}",
        )
    ]
    assert places == sorted(places)


def test_a_trusted_run_says_so_and_one_without_an_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(INFO, EVERYTHING, monkeypatch)
    assert text.startswith("\nTrusted up to the maximum (message).\nbuild v1, ws://127.0.0.1:8000/, 1 s\n")
    unended = RunInfo(build="v1", target="", started_at=0.0)
    assert "Incomplete: these figures were rebuilt" in shown(unended, EVERYTHING, monkeypatch)


def test_what_is_not_trusted_is_in_parentheses_with_one_footnote(monkeypatch: pytest.MonkeyPatch) -> None:
    trust = replace(TRUSTED, standing=Standing.PARTLY, up_to={"message": 95.0, "open": 0.0})
    lines = shown(replace(INFO, trust=trust), EVERYTHING, monkeypatch, 120).splitlines()
    rows = {
        line.split()[0]: line.split()[3:] for line in lines if line.split()[:1] and len(line.split()) == 9
    }
    assert rows["message"] == ["60,029"] * 3 + ["(60,029)"] * 3
    assert rows["open"] == ["(60,029)"] * 6
    assert rows["ping"] == ["60,029"] * 6
    assert sum("In parentheses: not trusted" in line for line in lines) == 1


def test_a_run_that_measured_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(INFO, Summary(), monkeypatch)
    assert "Nothing was measured." in text
    assert "metric" not in text


def test_away_from_a_terminal_there_are_no_colours_and_on_one_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "\x1b" not in shown(DOUBTFUL, EVERYTHING, monkeypatch)
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system="standard", width=80).print(
        run_view(DOUBTFUL, EVERYTHING, PATH, Standing.UNTRUSTED)
    )
    assert "\x1b[1;37;41mNot trusted: late.\x1b[0m" in stream.getvalue()


def test_what_a_server_sent_steers_neither_terminal_nor_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "\x1b[2J\x9b31m\r\x07[bold red]x[/] :smile:"
    totals = Totals.of([Interval(length_s=1.0, failures={("open", evil): 1})])
    text = shown(RunInfo(build=evil, target=evil, started_at=0.0), summarize(totals), monkeypatch, 200)
    assert not {"\x1b", "\x9b", "\r", "\x07"} & set(text)
    assert text.count("[bold red]x[/] :smile:") == 3


def test_a_stream_that_knows_only_ascii_gets_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    binary = io.BytesIO()
    stream = io.TextIOWrapper(binary, encoding="ascii")
    show_run(RunInfo(build="naïve", target="", started_at=0.0, trust=TRUSTED), EVERYTHING, PATH, file=stream)
    assert b"build na?ve" in binary.getvalue()


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Mn", "Me", "Mc"]),
    min_size=1,
    max_size=120,
)
figures = st.integers(0, 9_999_999).map("{:,}".format)


@given(
    st.lists(st.tuples(words, words, *[figures] * 6), min_size=1, max_size=4),
    st.integers(1, 2),
)
def test_at_80_columns_no_table_loses_a_column_or_a_figure(rows: list[tuple[str, ...]], texts: int) -> None:
    left = [Column(title=title, align="left") for title in ("what", "how")[:texts]]
    right = [Column(title=f"p{number}", unit="ms") for number in range(6)]
    cells = tuple((*row[:texts], *row[2:]) for row in rows)
    stream = io.StringIO()
    Console(file=stream, width=80).print(Grid(Table(title="", columns=(*left, *right), rows=cells)))
    lines = stream.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 80
    for column in (*left, *right):
        assert column.title in lines[0].split()
    shown = [line.split()[-6:] for line in lines[3:]]
    for row in rows:
        assert list(row[2:]) in shown


def test_names_of_every_kind_are_whole_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summarize(Totals.of(shop_seconds()))
    lines = shown(INFO, summary, monkeypatch).splitlines()
    assert max(map(cell_len, lines)) <= 80
    table = lines[lines.index(next(line for line in lines if line.startswith("metric"))) :]
    found = "".join("".join(line.split()[0:]) for line in table)
    for name in (BUY, UNICODE, STEP, VALUE):
        assert any(line.startswith(name) for line in table)
    assert "–" in found and FEW in " ".join(" ".join(lines).split())


@given(st.integers(40, 79), st.sampled_from(("12.4 ms", "0 %", "3.2 kB", "4 min")))
def test_no_line_ends_between_a_figure_and_its_unit(before: int, figure: str) -> None:
    text = "x" * before + f" {figure} more"
    stream = io.StringIO()
    said = as_text(Group("", Padding(Text(text, style="bold"), (0, 0, 0, 2))), stream)
    assert any(figure in line for line in said.splitlines())
    assert " ".join(said.split()).endswith(f"{figure} more")
    table = Table(title="", columns=(Column(title="", align="left"),), rows=((text,),))
    assert any(figure in line for line in as_text(Grid(table), stream).splitlines())
