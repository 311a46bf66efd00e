"""``wsload report``, ``list`` and ``check`` through the real command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.made_runs import STARTED_AT, UNTRUSTED, make_run, second

from wsload.results.run import CheckOutcome, CheckState, RunWarning

Wsload = Callable[..., subprocess.CompletedProcess[str]]
FAST = CheckOutcome(expression="message.p99 < 50ms", state=CheckState.PASSED, wanted="< 50 ms", got="3 ms")


@pytest.fixture
def wsload(tmp_path: Path) -> Wsload:
    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("LOCUST_", "GITHUB_"))
        }
        return subprocess.run(
            [sys.executable, "-m", "wsload", *map(str, arguments)],
            cwd=tmp_path,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def run(results: Path) -> Path:
    return make_run(results, [second(0, [1, 2, 3] * 200, gauges={"users": 4})], checks=(FAST,))


def make_invalid(results: Path) -> Path:
    busy = RunWarning(name="cpu", text="CPU 96 % of one core", invalidates=True)
    return make_run(results, [second(0, [1])], build="overdriven", trust=UNTRUSTED, warnings=(busy,))


def newer(run: Path) -> None:
    path = run / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema": 3}))


# report


def test_the_latest_run_becomes_a_page_in_its_directory(wsload: Wsload, results: Path, run: Path) -> None:
    later = make_run(results, [second(0, [1])], build="v2", started_at=STARTED_AT + 60)
    done = wsload("report")
    assert (done.returncode, done.stdout) == (0, f"results/{later.name}/report.html\n")
    assert (later / "report.html").read_text().startswith("<!doctype html>")
    assert not (run / "report.html").exists()


def test_a_run_is_found_by_its_path_and_by_its_name(wsload: Wsload, run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    run.parent.rename(moved)
    for arguments in ((moved / run.name,), (run.name, "--results", moved), ("latest", "--results", moved)):
        assert wsload("report", *arguments, "--output", "out.html").returncode == 0
        (tmp_path / "out.html").unlink()
    assert wsload("report", "latest", "-o", "out.html", LOCUST_WS_RESULTS=str(moved)).returncode == 0


def test_text_formats_go_to_standard_output_or_a_file(wsload: Wsload, run: Path, tmp_path: Path) -> None:
    for format_ in ("markdown", "json", "junit", "terminal", "csv"):
        shown = wsload("report", run, "--format", format_)
        assert (shown.returncode, shown.stderr) == (0, ""), shown.stderr
        assert "message" in shown.stdout
        stored = wsload("report", run, "--format", format_, "--output", "out")
        assert (stored.returncode, stored.stdout) == (0, "")
        assert (tmp_path / "out").read_text() == shown.stdout
    assert json.loads(wsload("report", run, "-f", "json").stdout)["run"]["build"] == "v1"
    assert ElementTree.fromstring(wsload("report", run, "-f", "junit").stdout).get("tests") == "2"


def test_markdown_is_appended_to_githubs_step_summary(wsload: Wsload, run: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    shown = wsload("report", run, "--format", "markdown", GITHUB_STEP_SUMMARY=str(summary))
    assert summary.read_text() == f"before\n{shown.stdout}"
    wsload("report", run, "--format", "csv", GITHUB_STEP_SUMMARY=str(summary))
    assert summary.read_text() == f"before\n{shown.stdout}"
    told = wsload("report", run, "--format", "markdown", GITHUB_STEP_SUMMARY=str(tmp_path))
    assert (told.returncode, told.stdout) == (0, shown.stdout), "as with wsload compare"
    assert "GITHUB_STEP_SUMMARY" in told.stderr and "Traceback" not in told.stderr


def test_a_check_on_what_a_metric_does_not_have_is_refused(wsload: Wsload, results: Path) -> None:
    run = make_run(results, [second(0, [7])])
    done = wsload("check", run, "open.lost < 1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "check 'open.lost < 1': open has no 'lost': use p50, " in done.stderr


def test_a_killed_run_is_rebuilt(wsload: Wsload, results: Path) -> None:
    killed = make_run(results, [second(0, [7])], trust=None)
    shown = wsload("report", killed, "--format", "markdown")
    assert shown.returncode == 0
    assert "**Incomplete: these figures were rebuilt" in shown.stdout
    assert "summary.json is missing" in shown.stdout
    assert "| message | 1 |" in shown.stdout
    assert "summary.json is missing" in wsload("report", killed, "--format", "terminal").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "there are no runs in results: name another directory with --results"),
        (["report", "nope"], "no run 'nope': it is neither"),
        (["report", "--format", "pdf"], "'pdf' is not one of"),
        (["report", "--history"], "there are no runs in results"),
        (["report", "latest", "--history"], "--history is one page of all runs"),
        (["check", "latest", "lost < 1"], "there are no runs in results"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(wsload: Wsload, arguments: list[str], words: str) -> None:
    done = wsload(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and words in done.stderr


def test_a_run_of_a_newer_schema_is_refused_plainly(wsload: Wsload, run: Path) -> None:
    newer(run)
    for command in (["report", run], ["check", run, "lost < 1"]):
        done = wsload(*command)
        assert done.returncode == 2
        assert "written by a newer wsload (schema 3; this one reads up to 2): upgrade" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_place_that_cant_be_written_to_is_named(wsload: Wsload, run: Path) -> None:
    done = wsload("report", run, "--output", "no/such/directory.html")
    assert done.returncode == 2
    assert "no/such/directory.html: can't be written" in done.stderr


def test_a_builds_label_stands_for_its_latest_run(wsload: Wsload, results: Path, run: Path) -> None:
    later = make_run(results, [second(0, [5] * 600)], started_at=STARTED_AT + 60)
    make_run(results, [second(0, [9])], build="v2", started_at=STARTED_AT + 120)
    assert wsload("report", "v1").stdout == f"{later / 'report.html'}\n".replace(f"{results.parent}/", "")
    assert "in results; see wsload list" in wsload("check", "v3").stderr
    assert wsload("export", "v1").stdout == wsload("export", later).stdout != wsload("export", run).stdout


# list and history


def test_the_list_has_a_row_a_run_and_names_what_it_cant_read(
    wsload: Wsload, results: Path, run: Path
) -> None:
    make_invalid(results)
    make_run(results, [second(0, [2])], build="killed", trust=None, started_at=STARTED_AT + 60)
    newer(make_run(results, [], build="future", started_at=STARTED_AT + 120))
    done = wsload("list", COLUMNS="200")
    assert done.returncode == 0
    rows = {row.split()[3]: row for row in done.stdout.splitlines() if row.startswith("2024")}
    assert list(rows) == ["overdriven", "v1", "killed"]
    assert rows["v1"].split() == [
        *(run.name, "2024-11-22", "12:36", "v1", "4", "600", "2.00", "3.00", "1", "passed", "yes")
    ]
    assert "NOT TRUSTED" in rows["overdriven"] and "INCOMPLETE" in rows["killed"]
    assert "written by a newer wsload" in done.stderr


def test_the_list_fits_80_columns(wsload: Wsload, results: Path, run: Path) -> None:
    make_invalid(results)
    make_run(results, [second(0, [2])], build="a-long-label", trust=None)
    lines = wsload("list", COLUMNS="80").stdout.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert len([line for line in lines if line.startswith("2024")]) == len(lines) - 4 == 3
    assert wsload("list", COLUMNS="300").stdout.count("2024-11-22 12:36") == 3


def test_the_list_for_programs(wsload: Wsload, run: Path) -> None:
    (line,) = json.loads(wsload("list", "--format", "json").stdout)
    assert (line["name"], line["build"], line["standing"], line["users"]) == (run.name, "v1", "trusted", 4)
    assert (
        wsload("list", "--format", "markdown").stdout.splitlines()[2].startswith("| run | when (UTC) | build")
    )


def test_an_empty_list_says_so(wsload: Wsload) -> None:
    done = wsload("list")
    assert (done.returncode, done.stdout) == (0, "There are no runs in results.\n")


def test_the_history_is_one_page_of_all_builds(wsload: Wsload, results: Path, run: Path) -> None:
    make_run(results, [second(0, [9])], build="<b>v2</b>", started_at=STARTED_AT + 60)
    done = wsload("report", "--history")
    assert (done.returncode, done.stdout) == (0, "results/history.html\n")
    page = (results / "history.html").read_text()
    assert "2 runs of 2 builds" in page
    assert "<a href" not in page
    wsload("report", run)
    wsload("report", "--history", "-o", "results/history.html")
    assert f'<a href="{run.name}/report.html">{run.name}</a>' in (results / "history.html").read_text()
    assert "<b>v2" not in page and "&lt;b&gt;v2" in page
    assert wsload("report", "--history", "--output", "here.html").stdout == "here.html\n"


# check


def test_checks_that_pass_exit_0_with_a_line_each(wsload: Wsload, run: Path) -> None:
    done = wsload("check", run, "message.p99 < 50ms", "lost < 1")
    assert done.returncode == 0
    assert re.fullmatch(
        r"passed  message\.p99 < 50ms  wanted < 50 ms, got 3\.0\d* ms\n"
        r"passed  lost < 1            wanted < 1, got 0\n",
        done.stdout,
    )


def test_one_check_that_fails_exits_1(wsload: Wsload, run: Path) -> None:
    done = wsload("check", run, "message.p99 < 50ms", "message.p50 < 1ms", "sell.p99 < 1s")
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["passed", "FAILED", "FAILED"]
    assert "got no samples: the run has no 'sell'" in done.stdout


def test_a_check_on_too_few_values_is_not_judged_and_exits_3(wsload: Wsload, results: Path) -> None:
    run = make_run(results, [second(0, [1] * 50)])
    done = wsload("check", run, "message.p99 < 50ms", "message.p50 < 50ms")
    assert done.returncode == 3
    assert done.stdout.splitlines()[0].endswith("50 values: too few to judge p99; 500 are enough")
    assert [line[:10].rstrip() for line in done.stdout.splitlines()] == ["NOT JUDGED", "passed"]
    assert wsload("check", run, "message.p99 < 50ms", "lost > 1").returncode == 1


def test_without_expressions_the_runs_own_checks_are_judged_again(wsload: Wsload, run: Path) -> None:
    assert wsload("check", "latest").stdout.split()[:4] == ["passed", "message.p99", "<", "50ms"]
    assert wsload("check").stdout == wsload("check", "latest").stdout
    assert wsload("check", "message.p50 < 9s").stdout.startswith("passed  message.p50 < 9s")


def test_a_run_without_checks_of_its_own_needs_some(wsload: Wsload, results: Path) -> None:
    make_run(results, [second(0, [1])])
    done = wsload("check", "latest")
    assert done.returncode == 2
    assert "nothing to check" in done.stderr


def test_a_run_that_is_not_trusted_exits_3_unless_that_is_allowed(wsload: Wsload, results: Path) -> None:
    run = make_invalid(results)
    done = wsload("check", run, "lost < 1")
    assert done.returncode == 3
    assert "passed  lost < 1" in done.stdout
    assert ": Not trusted: late" in done.stderr
    assert wsload("check", run, "lost < 1", "--allow-invalid").returncode == 0
    assert wsload("check", run, "message.count > 1", "--allow-invalid").returncode == 1


def test_a_killed_run_can_vouch_for_nothing(wsload: Wsload, results: Path) -> None:
    run = make_run(results, [second(0, [1])], trust=None)
    done = wsload("check", run, "lost < 1")
    assert done.returncode == 3
    assert (
        "Incomplete: these figures were rebuilt from the files that the run left; run.json: the run has not ended"
        in done.stderr
    )


def test_a_mistyped_check_exits_2_before_anything_is_read(wsload: Wsload) -> None:
    done = wsload("check", "nope", "message.p99 <> 50ms")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'<>' is not a comparison" in done.stderr
