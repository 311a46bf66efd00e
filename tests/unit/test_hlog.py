from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import METRICS, histograms

from wsload.errors import ResultsError
from wsload.measure.histogram import Histogram
from wsload.results import hlog

START_MS = 1_732_278_960_123


def written(path: Path, *pieces: bytes) -> Path:
    path.write_bytes(b"".join(pieces))
    return path


def test_the_header_is_the_one_java_writes() -> None:
    assert hlog.header(START_MS).decode().splitlines() == [
        "#[Histogram log format version 1.3]",
        "#[StartTime: 1732278960.123 (seconds since epoch), Fri Nov 22 12:36:00 UTC 2024]",
        "#[BaseTime: 1732278960.123 (seconds since epoch)]",
        "#[Values are ns; tags are percent-encoded]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]


def test_a_day_of_one_digit_is_padded_as_java_pads_it() -> None:
    assert hlog.java_date(0.0) == "Thu Jan 01 00:00:00 UTC 1970"


def test_metrics_carry_their_name_but_for_one_and_the_maximum_is_in_ms() -> None:
    histogram = Histogram.of([12_345_678])
    encoded = histogram.encode().decode()
    message = hlog.line(None, histogram, offset_ms=0, length_ms=1000)
    other = hlog.line("open.tcp", histogram, offset_ms=61_005, length_ms=998)
    assert message.decode() == f"0.000,1.000,12.354,{encoded}\n"
    assert other.decode() == f"Tag=open.tcp,61.005,0.998,12.354,{encoded}\n"


names = st.text(min_size=1, max_size=100)
"""Any text: what may be a name is decided where names are declared."""


@given(
    st.lists(
        st.tuples(st.sampled_from(METRICS) | names, histograms, st.integers(0, 10**8), st.integers(1, 10**6)),
        max_size=5,
    )
)
def test_reading_gives_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, Histogram, int, int]]
) -> None:
    path = written(
        tmp_path_factory.mktemp("log") / "a.hlog",
        hlog.header(START_MS),
        *(
            hlog.line(metric, histogram, offset_ms=offset, length_ms=length)
            for metric, histogram, offset, length in lines
        ),
    )
    assert list(hlog.read(path)) == [
        hlog.LogLine(metric=metric, start_ms=START_MS + offset, length_ms=length, histogram=histogram)
        for metric, histogram, offset, length in lines
    ]


@given(names)
def test_a_comment_names_the_metric_of_the_untagged_lines(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    histogram = Histogram.of([5_000])
    untagged = hlog.line(None, histogram, offset_ms=0, length_ms=1000)
    path = written(tmp_path_factory.mktemp("log") / "a.hlog", untagged, hlog.untagged(name), untagged)
    assert [line.metric for line in hlog.read(path)] == ["message", name]


def test_in_logs_of_schema_1_untagged_lines_are_messages(tmp_path: Path) -> None:
    header = hlog.header(START_MS).replace(
        b"#[Values are ns; tags are percent-encoded]",
        b"#[Values are ns; untagged lines are the metric message]",
    )
    line = hlog.line(None, Histogram.of([5_000]), offset_ms=0, length_ms=1000)
    assert [each.metric for each in hlog.read(written(tmp_path / "a.hlog", header, line))] == ["message"]


LINE = hlog.line("open", Histogram.of([5_000]), offset_ms=2000, length_ms=1000)


@pytest.mark.parametrize("kept", [1, 10, len(LINE) - 1])
def test_a_last_line_that_was_cut_off_is_dropped(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path / "a.hlog", hlog.header(START_MS), LINE, LINE[:kept])
    assert hlog.is_cut(path)
    assert [line.start_ms for line in hlog.read(path)] == [START_MS + 2000]


def test_a_whole_log_is_not_cut_and_neither_is_an_empty_one(tmp_path: Path) -> None:
    assert not hlog.is_cut(written(tmp_path / "a.hlog", hlog.header(START_MS), LINE))
    empty = written(tmp_path / "b.hlog")
    assert not hlog.is_cut(empty)
    assert list(hlog.read(empty)) == []


def test_other_writers_logs_are_read_without_base_time_and_with_other_line_ends(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.hlog",
        b"#[Histogram log format version 1.2]\r\n\r\n#a comment\r\n",
        LINE.replace(b"2.000,1.000", b"1732278960.5,1").replace(b"\n", b"\r\n"),
    )
    assert [(line.start_ms, line.length_ms) for line in hlog.read(path)] == [(1_732_278_960_500, 1000)]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        pytest.param(b"<html>\n", "not a line of a histogram log: '<html>'", id="another format"),
        pytest.param(b"\xff\xfe\x00\n", "can't decode", id="binary"),
        pytest.param(b"0.0,1.0,2.0,AAAA\n", "not an encoded histogram", id="no histogram"),
        pytest.param(LINE[:50] + b"\n", "", id="cut histogram"),
        pytest.param(b"-1" + LINE, "not a line of", id="negative time"),
        pytest.param(b"Tag=a b," + LINE[9:], "not a line of", id="space in the tag"),
        pytest.param(b"#[Histogram log format version 2.0]\n", "format 2.0 is unknown", id="newer format"),
        pytest.param(b"x" * (hlog.MAX_LINE_BYTES + 1), "longer than", id="endless line"),
    ],
)
def test_garbage_is_refused_naming_file_and_line(tmp_path: Path, damage: bytes, why: str) -> None:
    path = written(tmp_path / "a.hlog", hlog.header(START_MS), LINE, damage, LINE)
    with pytest.raises(ResultsError) as caught:
        list(hlog.read(path))
    assert f"{path}, line 7: " in str(caught.value)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_log_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no\.hlog: can't be read \(No such file"):
        list(hlog.read(tmp_path / "no.hlog"))
    with pytest.raises(ResultsError, match=r"no\.hlog: can't be read \(No such file"):
        hlog.is_cut(tmp_path / "no.hlog")
