from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import intervals
from support.made_runs import TRUSTED

from wsload.errors import ResultsError
from wsload.judge.run.standing import standing
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import Kind
from wsload.results import counters, hlog
from wsload.results.ending import backwards
from wsload.results.reader import find_runs, open_run
from wsload.results.trust import Standing
from wsload.results.window import Stretch
from wsload.results.writer import RunWriter

START = 1732278960.0


def run_of(results_dir: Path, *parts: Interval, build: str = "v1", started_at: float = START) -> Path:
    writer = RunWriter.create(
        results_dir, build=build, target="ws://host/", options={}, started_at=started_at
    )
    for part in parts:
        writer.append(part)
    writer.finish({"schema": 1}, ended_at=started_at + 20, trust=TRUSTED)
    return writer.path


def second(number: int, *metrics: str) -> Interval:
    return Interval(
        start_s=START + number,
        length_s=1.0,
        histograms={metric: Histogram.of([5_000 + number]) for metric in metrics},
        counters={"sent": number + 1},
    )


def of_the_first_schema(path: Path) -> None:
    stored = json.loads((path / "run.json").read_bytes())
    later = ("labels", "window", "workload", "trust")
    first = {key: value for key, value in stored.items() if key not in later}
    (path / "run.json").write_text(json.dumps(first | {"schema": 1, "valid": True}))


@settings(max_examples=30)
@given(st.lists(intervals(st.integers(0, 80).map(lambda eighths: START + eighths / 8)), max_size=4))
def test_intervals_come_back_as_they_were_appended_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, parts: list[Interval]
) -> None:
    path = run_of(tmp_path_factory.mktemp("results"), *parts)
    assert list(open_run(path).intervals()) == parts


def test_the_only_request_of_a_run_of_the_first_schema_is_named_where_it_was_tried(tmp_path: Path) -> None:
    unsent = replace(second(2, "open"), failures={("message", "not connected"): 1})
    path = run_of(
        tmp_path, second(0, "open"), second(1, "message.lost"), unsent, second(3, "open", "message")
    )
    of_the_first_schema(path)
    named = {"message": Kind.REQUEST}
    assert [each.names for each in open_run(path).intervals()] == [{}, named, named, named]
    assert open_run(path).totals(Stretch(from_s=2.0)).names == named


def test_a_killed_writers_half_lines_are_dropped_and_named(tmp_path: Path) -> None:
    path = run_of(tmp_path, second(0, "open", "message"), second(1, "open", "message"))
    for name in ("histograms.hlog", "counters.jsonl"):
        os.truncate(path / name, (path / name).stat().st_size - 5)
    run = open_run(path)
    assert run.problems == (
        "histograms.hlog: the last line is cut off and was ignored",
        "counters.jsonl: the last line is cut off and was ignored",
    )
    first, rest = run.intervals()
    assert first == second(0, "open", "message")
    assert (rest.start_s, set(rest.histograms), rest.counters) == (START + 1, {"message"}, {})


def cut_after(file: Path, lines: int) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:lines]))


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("name", ["histograms.hlog", "counters.jsonl"])
def test_a_log_that_lost_its_end_between_two_lines_is_noticed_wherever_that_was(
    tmp_path: Path, name: str, schema: int
) -> None:
    path = run_of(tmp_path, *(second(number, "open", "message", "message.lost") for number in range(3)))
    if schema == 1:
        of_the_first_schema(path)
    assert open_run(path).problems == ()
    found = []
    for lines in reversed(range(len((path / name).read_bytes().splitlines()))):
        cut_after(path / name, lines)
        run = open_run(path)
        assert standing(run.info, run.problems) is Standing.INCOMPLETE
        found += run.problems
        sum(each.length_s for each in run.intervals())  # the rest can be read
    differ = "histograms.hlog and counters.jsonl don't end with the same interval: one of them lacks its end"
    assert found == [*[differ] * (len(found) - 1), f"{name} is empty"]


def test_the_last_seconds_may_have_no_histograms(tmp_path: Path) -> None:
    path = run_of(tmp_path, second(0, "open"), second(1, "open", "message"), second(2), second(3))
    assert open_run(path).problems == ()
    both = ("histograms.hlog", "counters.jsonl")
    for name in both:
        (path / name).write_bytes(hlog.header(round(START * 1000)) if name == both[0] else b"")
    assert open_run(path).problems == ("counters.jsonl is empty",)


def test_a_run_that_recorded_nothing_lacks_nothing(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path, build="v1", target="", options={}, started_at=START)
    writer.finish({"schema": 1}, ended_at=START, trust=replace(TRUSTED, standing=Standing.NOTHING))
    assert open_run(writer.path).problems == ()


def test_a_killed_run_may_have_histograms_without_their_counts(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path, build="v1", target="", options={}, started_at=START)
    for number in range(2):
        writer.append(second(number, "open"))
    writer.close()
    cut_after(writer.path / "counters.jsonl", 1)
    assert open_run(writer.path).problems == (
        "run.json: the run has not ended: it is still in progress, or was killed",
        "summary.json is missing",
    )


@pytest.mark.parametrize("bytes_left", [False, True])
def test_a_json_file_that_lost_its_end_is_damaged(tmp_path: Path, bytes_left: bool) -> None:
    path = run_of(tmp_path, second(0, "open"))
    for name in ("summary.json", "run.json"):
        whole = (path / name).read_bytes()
        for lines in range(len(whole.splitlines())):
            cut_after(path / name, lines)
            if bytes_left:
                (path / name).write_bytes((path / name).read_bytes() + b" ")
            if name == "run.json":
                with pytest.raises(ResultsError, match=r"run\.json: not JSON"):
                    open_run(path)
            else:
                (problem,) = open_run(path).problems
                assert problem.startswith(f"{path / name}: not JSON")
            (path / name).write_bytes(whole)


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"a", b"a\n", b"a\nb", b"\n\na\n\nb\n", b"x" * 70_000 + b"\ny\nz"], ids=len
)
def test_a_file_is_read_backwards_as_it_is_forwards(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "file").write_bytes(text)
    assert [*backwards(tmp_path / "file", 80_000)][::-1] == [*hlog.whole_lines(tmp_path / "file", 80_000)]


def test_a_last_line_that_is_too_long_or_damaged_is_left_to_the_reader_of_the_whole(tmp_path: Path) -> None:
    path = run_of(tmp_path, second(0, "open"))
    whole = (path / "counters.jsonl").read_bytes()
    for last in (b"x" * (counters.MAX_LINE_BYTES + 70_000), b"null", b"{}"):
        (path / "counters.jsonl").write_bytes(whole + last + b"\n")
        assert open_run(path).problems == ()
        with pytest.raises(ResultsError, match=r"counters\.jsonl, line 2"):
            open_run(path).totals()


@pytest.mark.parametrize("missing", ["histograms.hlog", "counters.jsonl", "summary.json"])
def test_what_is_missing_is_named_and_the_rest_is_read(tmp_path: Path, missing: str) -> None:
    path = run_of(tmp_path, second(0, "open"), second(1, "open"))
    (path / missing).unlink()
    run = open_run(path)
    assert run.problems == (f"{missing} is missing",)
    totals = run.totals()
    assert totals.duration_s == 2.0
    assert ("open" in totals.histograms) == (missing != "histograms.hlog")
    assert (totals.counters == {"sent": 3}) == (missing != "counters.jsonl")
    assert (run.summary() is None) == (missing == "summary.json")


def test_histograms_whose_counts_were_never_written_are_kept(tmp_path: Path) -> None:
    path = run_of(tmp_path, *(second(number, "open", "login") for number in range(3)))
    whole = (path / "counters.jsonl").read_bytes().splitlines(keepends=True)
    (path / "counters.jsonl").write_bytes(whole[0] + whole[2])
    totals = open_run(path).totals()
    assert (totals.histograms["open"].total, totals.histograms["login"].total) == (3, 3)
    assert (totals.counters, totals.duration_s) == ({"sent": 4}, 3.0)


def test_a_pipe_in_place_of_a_file_does_not_hang_the_reader(tmp_path: Path) -> None:
    path = run_of(tmp_path, second(0, "open"))
    for name in ("histograms.hlog", "summary.json"):
        (path / name).unlink()
        os.mkfifo(path / name)
    run = open_run(path)
    assert run.problems == ("histograms.hlog is missing", "summary.json is missing")
    assert run.summary() is None
    assert run.totals().counters == {"sent": 1}


def test_damage_is_refused_naming_file_and_line(tmp_path: Path) -> None:
    path = run_of(tmp_path, second(0, "open"))
    (path / "histograms.hlog").write_bytes(hlog.header(0) + b"garbage\n")
    with pytest.raises(ResultsError, match=r"histograms\.hlog, line 6: not a line of a histogram log"):
        open_run(path).totals()
    (path / "histograms.hlog").unlink()
    (path / "counters.jsonl").write_bytes(counters.line(second(0), 0) + b"null\n")
    with pytest.raises(ResultsError, match=r"counters\.jsonl, line 2: not a line of counters"):
        open_run(path).totals()
    (path / "summary.json").write_bytes(b'{"schema": 7}')
    with pytest.raises(ResultsError, match=r"summary\.json: written by a newer wsload \(schema 7"):
        open_run(path).summary()
    (path / "run.json").write_bytes(b'{"schema": 3}')
    with pytest.raises(ResultsError, match=r"run\.json: written by a newer wsload \(schema 3"):
        open_run(path)


def test_a_directory_without_run_json_is_no_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(
            ResultsError, match=r"run\.json: no such file, so this is not a results directory of a run"
        ):
            open_run(path)


def test_runs_are_found_oldest_first_and_nothing_else(tmp_path: Path) -> None:
    later = run_of(tmp_path, build="a", started_at=START + 60)
    earlier = run_of(tmp_path, build="b")
    (tmp_path / "README.md").touch()
    (tmp_path / "empty").mkdir()
    assert find_runs(tmp_path) == [earlier, later]
    with pytest.raises(ResultsError, match=r"none: can't be read \(No such file"):
        find_runs(tmp_path / "none")


def test_a_directory_that_can_not_be_looked_into_does_not_hide_the_others(tmp_path: Path) -> None:
    """It is left out; one with a run's name is found, so that the reader says why it can't be read."""

    class Closed(type(tmp_path)):  # type: ignore[misc]  # root may look into everything
        def is_file(self) -> bool:
            if self.parent.name.endswith(("lost+found", "-closed")):
                raise PermissionError(13, "Permission denied", str(self))
            return bool(super().is_file())

    run = run_of(tmp_path, second(0, "open"))
    for name in ("lost+found", "20241122T123601Z-closed"):
        (tmp_path / name).mkdir()
    found = find_runs(Closed(tmp_path))
    assert [path.name for path in found] == [run.name, "20241122T123601Z-closed"]
    with pytest.raises(ResultsError, match=r"run\.json: can't be read \(Permission denied\)"):
        open_run(found[1])
