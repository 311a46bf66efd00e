"""What a full disk looks like to every command that writes: one line, exit code 7, and no half of a file.

A limit on the size of files, in a child process, fails writes as a full disk does.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from support.locust_run import CHAT
from support.made_runs import make_run, second

HAR = Path(__file__).parents[1] / "data" / "har"
MOST_BYTES = 10


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))


def run(directory: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """``python -m`` these words, on a full disk."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """With two runs in it."""
    for number, name in enumerate("ab"):
        made = make_run(tmp_path / "made", [second(0, [1.0] * 100)], started_at=1_732_278_960.0 + 60 * number)
        made.rename(tmp_path / name)
    (tmp_path / "made").rmdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "a", "--output", "x"), "x: can't be written (File too large); name a file with --output"),
        (("report", "a"), "a/report.html: can't be written (File too large); name a file with --output"),
        (("export", "a", "--output", "x"), "--output 'x': can't be written (File too large)"),
        (("compare", "a", "b", "--html", "x"), "--html 'x': can't be written (File too large)"),
        (("new", "x"), "x/locustfile.py: can't be written (File too large)"),
        (("from-har", HAR / "chat.har", "--output", "x"), "x: can't be written (File too large)"),
    ],
)
def test_a_file_that_was_asked_for(directory: Path, words: tuple[str | Path, ...], said: str) -> None:
    before = set(directory.glob("**/*.*"))
    done = run(directory, "wsload", *words)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (7, f"wsload: {said}")
    assert "Traceback" not in done.stderr
    assert set(directory.glob("**/*.*")) == before and not (directory / "x").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("ab", "--a", "ws://127.0.0.1:1", "--b", "ws://localhost:1"),
        ("capacity", "--host", "ws://127.0.0.1:1", "--users", "1..9", "--check", "lost < 1"),
    ],
)
def test_an_experiment(directory: Path, words: tuple[str, ...]) -> None:
    done = run(directory, "wsload", *words, "-f", CHAT)
    assert done.returncode == 7, done.stderr
    assert done.stderr.splitlines()[-1].endswith("can't be written (File too large)")
    assert "Traceback" not in done.stderr


def test_a_run(directory: Path) -> None:
    options = ("--headless", "--host", "ws://127.0.0.1:1", "-t", "2s", "--ws-results", "results")
    done = run(directory, "locust", "-f", CHAT, *options)
    assert done.returncode == 7, done.stderr
    assert "locust: error: results directory 'results': can't be written to (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((directory / "results").iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["report a --format json", "export a", "compare a b"])
def test_standard_output(directory: Path, words: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wsload", *words.split()],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (7, "wsload: standard output: No space left on device\n")
