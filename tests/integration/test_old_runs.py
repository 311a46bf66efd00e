"""Runs stored by earlier versions, kept under tests/data, are read by every command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"
RUNS = sorted(path.parent for path in DATA.glob("schema-*/*/run.json"))


@pytest.fixture(params=RUNS, ids=lambda path: path.parent.name)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy in a results directory, beside another one of the same build."""
    for name in (request.param.name, f"{request.param.name}.2"):
        shutil.copytree(request.param, tmp_path / "results" / name)
    return tmp_path / "results" / request.param.name


def wsload(cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"}
    return subprocess.run(
        [sys.executable, "-m", "wsload", *map(str, words)],
        cwd=cwd,
        env=inherited | {"COLUMNS": "100", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("format_", ["html", "markdown", "json", "junit", "terminal", "csv"])
def test_its_report(run: Path, format_: str) -> None:
    done = wsload(run.parent.parent, "report", run, "-f", format_, "-o", "out")
    assert done.returncode == 0, done.stderr
    text = (run.parent.parent / "out").read_text("utf-8")
    if format_ == "json":
        stored = json.loads((run / "summary.json").read_bytes())
        rebuilt = json.loads(text)["summary"]
        for metric, figures in stored["metrics"].items():
            assert rebuilt["metrics"][metric] == figures
        assert rebuilt["counters"] == stored["counters"]
    if format_ in ("html", "markdown", "terminal"):
        assert "user lists received" in text, "the protocol's counters are named"


def test_its_checks(run: Path) -> None:
    cwd = run.parent.parent
    own = wsload(cwd, "check", run)
    assert own.returncode == 3, own.stdout  # p99 of 55 values was judged in those days
    assert "NOT JUDGED  message.p99 < 500ms" in own.stdout
    done = wsload(
        cwd, "check", run, "message.p50 < 500ms", "lost < 1", "login_failures < 1", "message.lost < 1"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert wsload(cwd, "check", run, "message.count < 55").returncode == 1


@pytest.mark.parametrize(
    ("window", "check", "code", "said"),
    [
        ((), "message.count > 1", 0, ""),
        (("--from", "1s"), "message.count > 1", 0, ""),
        (("--from", "1s"), "message.p50 < 1us", 1, ""),
        (("--to", "3s"), "message.lost < 1", 0, ""),
        (("--from", "1h"), "message.count > 1", 5, "Nothing was measured"),
    ],
)
def test_another_stretch_of_it_is_judged_as_one_of_today(
    run: Path, window: tuple[str, ...], check: str, code: int, said: str
) -> None:
    """It did not store what its only request was."""
    done = wsload(run.parent.parent, "check", run, check, *window, "--allow-invalid")
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    compared = wsload(
        run.parent.parent, "compare", "--a", run, "--b", f"{run}.2", "--force", "--format", "json", *window
    )
    if code != 5:
        assert '"message.p50"' in compared.stdout, compared.stderr


def test_its_line_in_the_list_and_in_the_history(run: Path) -> None:
    done = wsload(run.parent.parent, "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert run.name in done.stdout
    assert wsload(run.parent.parent, "report", "--history").returncode == 0


def test_its_export(run: Path) -> None:
    done = wsload(run.parent.parent, "export", run)
    assert done.returncode == 0
    assert "Total count    =           55" in done.stdout


def test_its_comparison(run: Path) -> None:
    done = wsload(run.parent.parent, "compare", run, f"{run}.2")
    assert done.returncode in (0, 1, 3, 4), done.stdout + done.stderr
    assert "message" in done.stdout
