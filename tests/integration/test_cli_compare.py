"""``wsload compare`` as people type it, to each of its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.stored_runs import LATE, OPTIONS, START_S, store_run, store_sides

from wsload.commands.ab.experiment import Experiment, Outcome, StopReason, save
from wsload.commands.ab.plan import ExperimentPlan
from wsload.commands.harness.builds import Build

SIDES = ("--a", "results/*-v1*", "--b", "results/*-v2*")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def compare(cwd: Path, *words: str | Path, code: int, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"}
    done = subprocess.run(
        [sys.executable, "-m", "wsload", "compare", *map(str, words)],
        cwd=cwd,
        env=inherited | {"COLUMNS": "100", "PYTHONIOENCODING": "utf-8"} | variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def mistake(cwd: Path, *words: str | Path) -> str:
    """The one line on stderr."""
    done = compare(cwd, *words, code=2)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


# Exit codes


def test_slower_is_1_and_names_the_metrics(tmp_path: Path, results: Path) -> None:
    store_sides(results, slower=1.3)
    done = compare(tmp_path, *SIDES, "--html", "page.html", code=1)
    assert done.stdout.startswith("SLOWER  B (v2) is slower than A (v1): message, open, login; ")
    assert "4 pairs of runs of 12 s, 20 users" in done.stdout
    assert done.stderr == "Charts: page.html\n"
    assert b"<!doctype html>" in (tmp_path / "page.html").read_bytes()


def test_faster_and_the_same_are_0(tmp_path: Path, results: Path) -> None:
    store_sides(results, slower=0.6)
    assert compare(tmp_path, *SIDES, code=0).stdout.startswith("FASTER")


def test_shown_not_to_be_slower_is_0_however_much_faster_it_may_be(tmp_path: Path, results: Path) -> None:
    store_sides(results, slower=0.9, pairs=6)
    done = compare(tmp_path, *SIDES, "--min-ratio", "300%", code=0)
    assert done.stdout.startswith("NOT SLOWER  B (v2) is not slower than A (v1): at most ")


# Losing and refusing


def test_losing_messages_does_not_make_a_build_faster(tmp_path: Path, results: Path) -> None:
    """It dropped 60 % of the posts, and ``--judge message.p50`` said FASTER."""
    store_sides(results, slower=0.5, lost=300)
    done = compare(tmp_path, *SIDES, "--judge", "message.p50", code=1)
    assert done.stdout.startswith(
        "FAILS MORE  B (v2) fails more than A (v1): message 60 % lost, compared with 0 %"
    )


def test_thousands_of_failures_against_none_are_not_the_same(tmp_path: Path, results: Path) -> None:
    store_sides(results, refused=440)
    assert " % failed, compared with 0 %" in compare(tmp_path, *SIDES, code=1).stdout


def test_one_run_a_side_that_lost_more_is_never_a_good_end(tmp_path: Path, results: Path) -> None:
    a, b = store_run(results, "v1"), store_run(results, "v2", at=1, factor=0.5, lost=300)
    said = " ".join(compare(tmp_path, a, b, "--judge", "message.p50", code=4).stdout.split())
    assert "(this one: message 60 % lost, compared with 0 %)" in said
    assert compare(tmp_path, a, b, "--scatter", "20%", code=1).stdout.startswith("FAILS MORE")


def test_no_valid_runs_is_3(tmp_path: Path, results: Path) -> None:
    store_sides(results, bad=tuple(range(8)))
    done = compare(tmp_path, *SIDES, code=3)
    assert done.stdout.startswith("NO VALID RUNS")
    assert f"20241122T123600Z-v1 and 7 more runs: Not trusted: {LATE.text}" in done.stdout


def test_inconclusive_is_4_and_says_what_it_would_take(tmp_path: Path, results: Path) -> None:
    store_sides(results, pairs=2)
    done = compare(
        tmp_path, *SIDES, "--judge", "message", "--same-within", "4%", "--min-shift", "0us", code=4
    )
    assert done.stdout.startswith("INCONCLUSIVE  Can't tell yet whether B (v2) is slower than A (v1)")
    assert "more" in done.stdout or "pairs)" in done.stdout
    assert "login" not in done.stdout


def test_a_slower_build_can_be_too_little_slower_to_matter(tmp_path: Path, results: Path) -> None:
    store_sides(results, slower=1.3)
    done = compare(tmp_path, *SIDES, "--min-shift", "5ms", code=0)
    assert "at most 5.00 ms slower in everything that was judged" in " ".join(done.stdout.split())
    assert "within 5.00 ms" in done.stdout


# Which run stands where


def test_two_runs_by_name_or_path(tmp_path: Path, results: Path) -> None:
    a, b = store_run(results, "v1"), store_run(results, "v2", at=1, factor=3)
    done = compare(tmp_path, a.name, b, code=4)
    assert "One run per side can't tell whether B (v2) is slower than A (v1)" in done.stdout
    words = ("--scatter", "5%", "--scatter", "message.p99=8%")
    assert compare(tmp_path, a.name, b, *words, code=1).stdout.startswith("SLOWER")
    assert compare(tmp_path, b, a, *words, code=0).stdout.startswith("FASTER  B (v1) is faster than A (v2)")


def test_one_run_against_the_stored_ones_of_the_baseline(tmp_path: Path, results: Path) -> None:
    for at in range(6):
        store_run(results, "v1", at=at)
    store_run(results, "v2", at=6, factor=2)
    done = compare(tmp_path, *SIDES, code=1)
    assert "6 runs of A and 1 run of B, unpaired" in done.stdout


def test_patterns_may_be_expanded_by_the_shell(tmp_path: Path, results: Path) -> None:
    baseline, candidate = store_sides(results, slower=1.3)
    done = compare(tmp_path, "--a", *baseline, "--b", *candidate, "--format", "json", code=1)
    assert [len(pair) for pair in json.loads(done.stdout)["pairs"]] == [2] * 4


def test_sides_by_their_build_in_any_directory(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    store_sides(elsewhere, slower=1.3)
    store_run(elsewhere, "v3", at=20)
    (elsewhere / "broken").mkdir()
    (elsewhere / "broken" / "run.json").write_text('{"schema": 99}')
    words = ("--baseline", "build=v1", "--candidate", "build=v2")
    done = compare(tmp_path, *words, LOCUST_WS_RESULTS=str(elsewhere), code=1)
    assert "broken" in done.stderr and "written by a newer wsload" in done.stderr
    assert compare(tmp_path, *words, "--results", elsewhere, code=1).stdout == done.stdout
    words = ("--baseline", "name=*-v1", "--candidate", "name=*-v2", "--results", str(elsewhere))
    assert compare(tmp_path, *words, code=1).stdout == done.stdout


def test_an_experiment_is_compared_by_its_own_plan(tmp_path: Path, results: Path) -> None:
    place = results / "ab-20241122T123600Z"
    baseline, candidate = store_sides(place, slower=1.3, pairs=3)
    runs = sorted([*baseline, *candidate])
    url = "ws://127.0.0.1:1"
    plan = ExperimentPlan(
        a=Build(name="old", url=url),
        b=Build(name="new", url=url),
        locustfile="chat.py",
        users=20,
        spawn_rate=20,
        run_time_s=12,
        pairs=4,
        stop_early=True,
    )
    done = tuple(Outcome(slot=at + 1, run=run.name, valid=True) for at, run in enumerate(runs))
    experiment = Experiment(plan=plan, created_at=START_S, done=done, ended=StopReason.EARLY)
    save(place, experiment)
    data = json.loads(compare(tmp_path, "ab-20241122T123600Z", "--format", "json", code=1).stdout)
    assert data["sides"] == {"A": "old", "B": "new"}
    assert data["gate"]["alpha"] == plan.looks.early * plan.gate.alpha
    save(place, Experiment(plan=plan, created_at=START_S, done=done))
    told = compare(tmp_path, place, "--judge", "message.p50", code=1).stdout
    assert "the experiment is not finished: 6 of 8 runs were made" in " ".join(told.split())
    assert "message.p99" not in told


# Output


def test_markdown_and_the_jobs_summary(tmp_path: Path, results: Path) -> None:
    store_sides(results, slower=1.3)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    done = compare(tmp_path, *SIDES, "--format", "markdown", GITHUB_STEP_SUMMARY=str(summary), code=1)
    assert done.stdout.startswith("## B (v2) compared with A (v1): slower\n")
    assert summary.read_text() == "before\n" + done.stdout


def test_a_terminal_that_can_not_write_everything_gets_question_marks(tmp_path: Path, results: Path) -> None:
    store_sides(results, slower=6)
    done = compare(tmp_path, *SIDES, code=1, PYTHONIOENCODING="ascii")
    assert "?6" in done.stdout or "?5" in done.stdout
    done = compare(tmp_path, *SIDES, "--format", "markdown", code=1, PYTHONIOENCODING="ascii")
    assert "| message.p50 |" in done.stdout
    assert json.loads(compare(tmp_path, *SIDES, "--format", "json", code=1, PYTHONIOENCODING="ascii").stdout)


def test_a_summary_that_can_not_be_written_does_not_swallow_the_verdict(
    tmp_path: Path, results: Path
) -> None:
    store_sides(results, slower=1.3)
    done = compare(tmp_path, *SIDES, GITHUB_STEP_SUMMARY=str(tmp_path / "no" / "where.md"), code=1)
    assert done.stdout.startswith("SLOWER")
    assert "GITHUB_STEP_SUMMARY" in done.stderr and "Traceback" not in done.stderr


# Damaged files


def test_a_line_damaged_late_in_a_log_is_one_line_and_with_force_a_warning(
    tmp_path: Path, results: Path
) -> None:
    for valid in (True, False):
        a, b = store_run(results, f"a{valid}", valid=valid), store_run(results, f"b{valid}", at=1)
        lines = (a / "histograms.hlog").read_bytes().splitlines(keepends=True)
        (a / "histograms.hlog").write_bytes(b"".join([*lines[:-2], b"Tag=open,11.000,1.000,1.0,x\n"]))
        if valid:
            assert "histograms.hlog, line" in mistake(tmp_path, a, b)
        done = compare(tmp_path, a, b, "--force", code=4)
        assert "is used anyway (--force)" in done.stdout
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1066-10-14T09:00:00Z"]
)
def test_a_run_of_an_impossible_time_is_one_line(tmp_path: Path, results: Path, when: str) -> None:
    a, b = store_run(results, "v1"), store_run(results, "v2", at=1)
    info = json.loads((a / "run.json").read_bytes())
    (a / "run.json").write_text(json.dumps(info | {"started_at": when}))
    assert f"run.json: the time '{when}'" in mistake(tmp_path, a, b)
    assert "run.json: the time" in mistake(tmp_path, a, b, "--force", "--html", "page.html")


# Mistakes


def test_runs_of_other_conditions_need_force(tmp_path: Path, results: Path) -> None:
    store_run(results, "v1")
    store_run(results, "v2", at=1, factor=3, options=OPTIONS | {"ws_rate": "100"})
    said = mistake(tmp_path, *SIDES)
    assert said == (
        "wsload: the runs differ in --ws-rate: not given in the baseline; 100 in the candidate; --force compares "
        "them anyway"
    )
    assert "the runs differ in --ws-rate" in " ".join(
        compare(tmp_path, *SIDES, "--force", code=4).stdout.split()
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "wsload: give the runs in exactly one way: two runs (A B)"),
        (("x", "y", "--a", "z"), "in exactly one way"),
        (("x", "y", "z"), "expected two runs or builds, not 3: for several per side, use --a RUN… --b RUN…"),
        (("nowhere", "nothing"), "no run 'nowhere': it is neither"),
        (("--a", "results/*-v1"), "--b is missing: both sides need runs"),
        (("--a", "results/*-v1", "--b", "results/*-v9"), "--b 'results/*-v9': no run matches"),
        (("--baseline", "build=v1"), "--candidate is missing"),
        (("--baseline", "v1", "--candidate", "v2"), "--baseline 'v1': use build=LABEL or name=PATTERN"),
        (("--baseline", "build=v1", "--candidate", "build=v9"), "--candidate 'build=v9': no run in results"),
        ((*SIDES, "--min-ratio", "3"), "--min-ratio '3': a share is a number with %, such as 3%"),
        ((*SIDES, "--min-shift", "fast"), "--min-shift 'fast': a duration is a number"),
        ((*SIDES, "--same-within", "0%"), "'same within' must be a share above 0"),
        ((*SIDES, "--judge", "mesage.p42"), "--judge 'mesage.p42': did you mean 'message'? The runs have "),
        ((*SIDES, "--judge", "message.max"), "such as message.p99"),
        ((*SIDES, "--scatter", "p99"), "--scatter 'p99': a share is a number with %"),
        ((*SIDES, "--scatter", "p99=0%"), "the scatter of p99 must be a share above 0"),
        ((*SIDES, "--format", "pdf"), "'pdf' is not one of 'terminal', 'markdown', 'json'"),
        ((*SIDES, "--html", "no/where.html"), "--html 'no/where.html': can't be written"),
        (("results",), "'results' is neither a run nor an experiment of wsload ab: give two runs"),
        (("latest",), "is only one run: give two, A and B"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, results: Path, words: tuple[str, ...], said: str) -> None:
    store_run(results, "v1")
    store_run(results, "v2", at=1)
    assert said in mistake(tmp_path, *words)
