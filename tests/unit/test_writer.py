from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from intervals import METRICS
from support.made_runs import TRUSTED, UNTRUSTED

from wsload.errors import NotWritten, UsageError
from wsload.judge.figures.summary import summarize
from wsload.judge.run.verdict import judge
from wsload.measure.histogram import Histogram
from wsload.measure.interval import MOST, Interval
from wsload.measure.names import MAX_KINDS, MAX_NAMES, OTHER, OTHER_KINDS, Kind
from wsload.measure.recorder import LONGEST_DETAIL
from wsload.results import counters, hlog
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.writer import RunWriter

Create = Callable[..., RunWriter]
START = 1732278960.1234


def new_run(results_dir: Path, build: str = "v1", options: Mapping[str, object] | None = None) -> RunWriter:
    return RunWriter.create(
        results_dir, build=build, target="ws://host/", options=options or {}, started_at=START
    )


@pytest.fixture
def create() -> Iterator[Create]:
    """`new_run`, whose files are closed when the test ends."""
    with ExitStack() as stack:

        def creating(*args: Any, **kwargs: Any) -> RunWriter:
            writer = new_run(*args, **kwargs)
            stack.callback(writer.close)
            return writer

        yield creating


def second(number: int, **changes: object) -> Interval:
    given: dict[str, object] = {
        "start_s": START + number,
        "length_s": 1.0,
        "histograms": {metric: Histogram.of([5_000, 6_000_000]) for metric in ("open", "message")},
        "counters": {"sent": 2},
    }
    return Interval(**(given | changes))  # type: ignore[arg-type]


def test_a_run_has_its_directory_and_run_json_from_the_start(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path / "a" / "results", options={"ws_bearer": "secret", "num_users": 5})
    assert writer.path == tmp_path / "a" / "results" / "20241122T123600Z-v1"
    found = json.loads((writer.path / "run.json").read_bytes())
    assert found["started_at"] == "2024-11-22T12:36:00.123Z"
    assert (found["ended_at"], found["trust"]) == (None, None)
    assert found["options"] == {"num_users": 5, "ws_bearer": "***"}
    assert found["versions"]["locust"]
    assert found["host"]["cores"]


@pytest.mark.parametrize(
    ("build", "name"),
    [
        ("v1.2+g3", "v1.2+g3"),
        ("feature/faster echo", "feature-faster-echo"),
        ("../../etc", "etc"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("naïve\n\0<b>", "na-ve-b"),
        ("x" * 300, "x" * 60),
    ],
)
def test_any_label_makes_a_safe_directory_name(create: Create, tmp_path: Path, build: str, name: str) -> None:
    writer = create(tmp_path, build)
    assert writer.path == tmp_path / f"20241122T123600Z-{name}"
    assert writer.info.build == build


def test_runs_that_start_in_the_same_second_do_not_meet(create: Create, tmp_path: Path) -> None:
    names = [create(tmp_path).path.name for _ in range(3)]
    assert names == ["20241122T123600Z-v1", "20241122T123600Z-v1.2", "20241122T123600Z-v1.3"]


def test_a_directory_that_cannot_be_written_is_the_users_mistake_in_one_line(
    create: Create, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError) as caught:
            create(wrong)
        assert re.fullmatch(
            r"results directory '.*': can't be written to \(.*\); name another one", str(caught.value)
        )


def test_an_interval_is_in_the_files_when_append_returns(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    writer.append(second(0))
    lines = list(hlog.read(writer.path / "histograms.hlog"))
    assert [(line.metric, line.start_ms, line.length_ms) for line in lines] == [
        ("message", 1_732_278_960_123, 1000),
        ("open", 1_732_278_960_123, 1000),
    ]
    (counted,) = counters.read(writer.path / "counters.jsonl")
    assert counted.histograms == 2
    assert counted.interval.counters == {"sent": 2}


def test_empty_histograms_and_empty_intervals_are_not_written(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    writer.append(Interval())
    writer.append(second(0, histograms={"open": Histogram()}))
    assert list(hlog.read(writer.path / "histograms.hlog")) == []
    assert len(list(counters.read(writer.path / "counters.jsonl"))) == 1


def test_times_never_lie_before_the_run_nor_last_no_time(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    writer.append(second(-5, length_s=0.0))
    (line, _) = hlog.read(writer.path / "histograms.hlog")
    assert (line.start_ms, line.length_ms) == (1_732_278_960_123, 1)


def test_totals_run_along(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    for number in range(3):
        writer.append(second(number, gauges={"users": 5 - number}))
    assert writer.totals.histograms["open"].total == 6
    assert writer.totals.counters == {"sent": 6}
    assert writer.totals.duration_s == pytest.approx(3.0)
    assert writer.totals.peaks == {"users": 5}


def test_the_end_writes_summary_verdict_warnings_and_checks(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    warning = RunWarning(name="cpu", text="CPU 96 %", invalidates=True)
    check = CheckOutcome(expression="lost == 0", state=CheckState.PASSED, wanted="== 0", got="0")
    writer.finish({"schema": 1}, ended_at=START + 20, trust=UNTRUSTED, warnings=[warning], checks=[check])
    run = open_run(writer.path)
    assert run.problems == ()
    assert run.info == writer.info
    assert run.info.ended_at == 1732278980.123
    assert (run.info.trust, run.info.warnings, run.info.checks) == (UNTRUSTED, (warning,), (check,))
    assert run.summary() == {"schema": 1}
    assert sorted(path.name for path in writer.path.iterdir()) == [
        "counters.jsonl",
        "histograms.hlog",
        "run.json",
        "summary.json",
    ]


def test_an_end_that_cannot_be_written_is_said(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    for path in writer.path.iterdir():
        path.unlink()
    writer.path.rmdir()
    with pytest.raises(NotWritten, match=r"the run's end could not be written \(No such file"):
        writer.finish({}, ended_at=START, trust=TRUSTED)


IN_A_PROCESS_OF_ITS_OWN = """
import os, resource, signal, sys
from pathlib import Path
from test_writer import START, TRUSTED, new_run, second
writer = new_run(Path(sys.argv[1]))
"""


def run_apart(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN + code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
        env={"PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parents[2], Path(__file__).parents[1])))},
    )


def test_whoever_is_killed_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    done = run_apart(
        tmp_path,
        "for number in range(5): writer.append(second(number))\nos.kill(os.getpid(), signal.SIGKILL)\n",
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    run = open_run(tmp_path / "20241122T123600Z-v1")
    assert run.info.trust is None
    assert run.problems == (
        "run.json: the run has not ended: it is still in progress, or was killed",
        "summary.json is missing",
    )
    assert run.totals().counters == {"sent": 10}
    assert run.totals().histograms["message"].total == 10


def test_a_full_disk_stops_neither_the_load_nor_the_end(tmp_path: Path) -> None:
    """The limit on the size of files fails writes in the middle, as a full disk does."""
    done = run_apart(
        tmp_path,
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))\n"
        "for number in range(100): writer.append(second(number))\n"
        "writer.finish({'schema': 1}, ended_at=START + 100, trust=TRUSTED)\n"
        "print(writer.totals.intervals, writer.totals.counters['sent'])\n",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "100 200"), done.stderr
    run = open_run(tmp_path / "20241122T123600Z-v1")
    assert run.problems == tuple(warning.text for warning in run.info.warnings)
    stored = run.totals()
    assert 0 < stored.intervals < 100
    assert stored.counters["sent"] == 2 * stored.intervals
    (warning,) = run.info.warnings
    assert warning.name == "results-incomplete"
    assert f"{100 - stored.intervals} of 100 intervals could not be written to " in warning.text
    assert "File too large" in warning.text


def test_counts_of_any_size_are_written(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    for at in range(3):
        counts = {"gaps": MOST}
        writer.append(second(at, counters=counts, failures={("open", "refused"): MOST}, closes={1000: MOST}))
    writer.finish(summarize(writer.totals).to_json(), ended_at=START, trust=TRUSTED)
    run = open_run(writer.path)
    assert run.problems == () and (run.summary() or {})["counters"]["gaps"] == MOST
    assert run.totals().counters["gaps"] == run.totals().failures["open", "refused"] == MOST


def test_text_that_utf8_cannot_hold_is_counted_all_the_same(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path, options={"ws_build": "\udcff"})
    writer.append(second(0, failures={("open", "\ud800"): 2, ("open", "?"): 1}))
    writer.finish({}, ended_at=START, trust=TRUSTED)
    assert open_run(writer.path).totals().failures == writer.totals.failures == {("open", "?"): 3}


def tags(writer: RunWriter) -> list[str]:
    """The log's comments on tags, and its lines' tags, in their order."""
    lines = (writer.path / "histograms.hlog").read_text().splitlines()[5:]
    return [line if line.startswith("#") else line.split(",")[0] for line in lines]


def one(*metrics: str) -> dict[str, Histogram]:
    return {metric: Histogram.of([1000]) for metric in metrics}


def test_the_untagged_lines_are_those_of_message_where_there_is_one(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    writer.append(second(0, histograms=one("open"), names={"message": Kind.REQUEST}))
    writer.append(second(1, histograms=one("buy", "buy.lost")))
    writer.append(second(2, histograms=one("message")))
    assert tags(writer) == [
        "Tag=open",
        "#[Untagged lines are the metric message]",
        "Tag=buy",
        "Tag=buy.lost",
        "2.000",
    ]


def test_else_they_are_those_of_the_busiest_request_of_the_first_second_that_has_one(
    create: Create, tmp_path: Path
) -> None:
    writer = create(tmp_path)
    kinds = {"a tick": Kind.VALUE, 'say, "hi"': Kind.REQUEST, "buy": Kind.REQUEST}
    busy = {"a tick": Histogram.of([1] * 9), 'say, "hi"': Histogram.of([1] * 3), **one("buy")}
    writer.append(second(0, histograms=one("open"), names=kinds))
    writer.append(second(1, histograms=busy))
    writer.append(second(2, histograms={**one("message"), "buy": Histogram.of([1] * 99)}))
    comment = '#[Untagged lines are the metric say%2C%20"hi"]'
    assert tags(writer)[1:] == [comment, "Tag=a%20tick", "Tag=buy", "1.000", "Tag=message", "Tag=buy"]
    found = {
        metric: histogram.total for metric, histogram in open_run(writer.path).totals().histograms.items()
    }
    assert found == {metric: histogram.total for metric, histogram in writer.totals.histograms.items()}


def test_the_names_of_a_run_are_limited_over_all_its_processes(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    for worker in range(3):
        names = [f"worker {worker}, item {item}" for item in range(100)]
        writer.append(
            second(worker, histograms=one(*names), names=dict.fromkeys(names, Kind.REQUEST), counters={})
        )
    totals = open_run(writer.path).totals()
    assert len(totals.names) == 201
    assert totals.histograms["other"].total == 100
    assert totals.counters["names_gathered"] == 100
    assert any(warning.name == "names" for warning in judge(totals, []).warnings)


def test_the_failures_of_very_many_processes_leave_a_run_that_can_be_read(
    create: Create, tmp_path: Path
) -> None:
    writer = create(tmp_path)
    workers, each = 40, MAX_KINDS
    failures = {
        ("buy", f"worker {worker}, order {number}, {'é' * 60}"): 1
        for worker in range(workers)
        for number in range(each)
    }
    writer.append(second(0, failures=failures, details=dict.fromkeys(failures, "é" * LONGEST_DETAIL)))
    totals = open_run(writer.path).totals()
    assert len(totals.failures) == MAX_KINDS + 1
    assert totals.failures["buy", OTHER_KINDS] == workers * each - MAX_KINDS
    assert totals.details.keys() == totals.failures.keys() - {("buy", OTHER_KINDS)}


def test_failures_of_names_beyond_the_limit_are_stored_with_them(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    names = [f"item {number}" for number in range(MAX_NAMES + 3)]
    failures = {(name, "timeout"): 1 for name in names[MAX_NAMES - 1 :]}
    kinds = dict.fromkeys(names, Kind.REQUEST)
    writer.append(second(0, histograms=one(*names), names=kinds, failures=failures))
    stored = open_run(writer.path).totals().failures
    assert stored == {(f"item {MAX_NAMES - 1}", "timeout"): 1, (OTHER, "timeout"): 3}


def test_every_metric_can_be_written(create: Create, tmp_path: Path) -> None:
    writer = create(tmp_path)
    writer.append(second(0, histograms={metric: Histogram.of([1]) for metric in METRICS}))
    assert [line.metric for line in hlog.read(writer.path / "histograms.hlog")] == list(METRICS)
