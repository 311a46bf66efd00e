"""``wsload capacity`` as people type it: a server of known capacity, and real Locust runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.locust_run import ROOT
from support.waiting import until

from wsload.exit_codes import ExitCode

LOAD = ROOT / "benchmarks" / "capacity" / "load.py"
SERVE = f"{sys.executable} -m benchmarks.capacity.server {{port}} bucket"
CHECKS = ("--check", "message.p99 < 300ms", "--check", "lost < 1")
"""Far from what a busy machine does to a message that is answered at once."""
QUICK = ("-f", LOAD, "-u", "10", "-t", "3s", "--warm-up", "1s", *CHECKS)
TIME_LIMIT_S = 300.0
pytestmark = pytest.mark.xdist_group("capacity")


def start(cwd: Path, *words: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "wsload", "capacity", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def capacity(cwd: Path, *words: str | Path) -> tuple[int, str, str]:
    """Exit code and output."""
    child = start(cwd, *words)
    try:
        out, err = child.communicate(timeout=TIME_LIMIT_S)
    finally:
        child.kill()
    return child.returncode, out.decode(), err.decode()


def found(out: str) -> dict[str, Any]:
    side: dict[str, Any] = json.loads(out)["sides"][0]
    return side


def test_a_known_capacity_is_found_or_it_is_said_why_not(tmp_path: Path) -> None:
    """Overload by a tenth is answered 300 ms late within 3 s: the limit is the server's rate, or little more."""
    code, out, err = capacity(
        tmp_path,
        *QUICK,
        "--serve",
        f"{SERVE} 60",
        "--rate",
        "20..320",
        "--precision",
        "25%",
        "--format",
        "json",
    )
    assert code in (ExitCode.OK, ExitCode.UNTRUSTED), err
    side = found(out)
    held = [step for step in side["steps"] if step["outcome"] == "holds"]
    assert held and all(step["rate"] < 80 for step in held)
    assert all(step["cpu_share"] is not None for step in side["steps"] if step["run"])
    if code == ExitCode.OK:
        assert 40 < side["estimate"] < 90 and side["low"] <= 75 and side["high"] >= 55
    (place,) = (tmp_path / "results").iterdir()
    assert place.name.startswith("capacity-")
    assert {step["run"] for step in side["steps"]} <= {path.name for path in place.iterdir()}


def test_a_commit_that_holds_less_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "--quiet", str(tmp_path)], check=True)
    for tag, posts in (("v1", 200), ("v2", 50)):
        words = f"'-m wsload serve --quiet-roster --fault capacity={posts}/s --port'.split()"
        script = f"import os, sys\nos.execv(sys.executable, [sys.executable, *{words}, sys.argv[1]])\n"
        (tmp_path / "server.py").write_text(script)
        for words in (["add", "server.py"], ["commit", "--quiet", "-m", tag], ["tag", tag]):
            subprocess.run([*git, *words], cwd=tmp_path, check=True)
    code, out, err = capacity(
        tmp_path,
        *("-f", ROOT / "locustfiles" / "chat.py", "-u", "5", "-t", "3s", "--warm-up", "1s"),
        *("--check", "message.p50 < 300ms"),
        *("--a-ref", "v1", "--b-ref", "v2", "--serve", f"{sys.executable} server.py {{port}}"),
        *("--rate", "25..400", "--steps", "6", "--precision", "50%", "--format", "json"),
    )
    data = json.loads(out)
    a, b = data["sides"]
    assert (code, data["contrast"]["verdict"]) == (ExitCode.FAILED, "less"), err
    assert b["high"] < a["low"]
    assert a["steps"][0]["run"] and b["steps"][0]["run"]
    trees = subprocess.run([*git, "worktree", "list"], cwd=tmp_path, capture_output=True, check=True)
    assert trees.stdout.count(b"\n") == 1


def test_ctrl_c_keeps_what_is_known_and_resume_goes_on(tmp_path: Path) -> None:
    child = start(
        tmp_path, *QUICK, "--serve", f"{SERVE} 60", "--rate", "20..320", "--steps", "3", "--precision", "50%"
    )

    def steps() -> int:
        files = (
            list((tmp_path / "results").glob("capacity-*/capacity.json"))
            if (tmp_path / "results").exists()
            else []
        )
        return len(json.loads(files[0].read_bytes())["steps"]) if files else 0

    try:
        until(lambda: steps() >= 1, timeout_s=60)
    finally:
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == ExitCode.INCONCLUSIVE, err
    assert b"To continue: wsload capacity --resume" in err
    before = steps()
    (place,) = (tmp_path / "results").iterdir()
    code, out, text = capacity(tmp_path, "--resume", place.name, "--format", "json")
    assert code in (ExitCode.OK, ExitCode.INCONCLUSIVE, ExitCode.UNTRUSTED), text
    assert len(found(out)["steps"]) > before
    assert (place / "unfinished").is_dir() or before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--host (the URL of a running server), --serve"),
        (("--host", "ws://127.0.0.1:1"), "give one range LOW..HIGH to search, as --rate or --users"),
        (("--host", "ws://127.0.0.1:1", "--rate", "1..2", "--users", "1..2"), "one range LOW..HIGH"),
        (
            ("--host", "ws://127.0.0.1:1", "--rate", "few..many"),
            "--rate 'few..many': must be a number up to 1000000",
        ),
        (("--host", "ws://127.0.0.1:1", "--rate", "200..100"), "the lower end"),
        (("--host", "ws://127.0.0.1:1", "--users", "1.5..20"), "only whole numbers"),
        (("--serve", "server", "--rate", "1..2"), "has no {port}"),
        (
            ("--a", "ws://127.0.0.1:1", "--host", "ws://127.0.0.1:1", "--rate", "1..2"),
            "--host is for one build",
        ),
        (("--a", "ws://127.0.0.1:1", "--rate", "1..2"), "give --b"),
        (("--resume", "nothing", "--rate", "1..2"), "--rate can't change it"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    code, _, err = (
        capacity(tmp_path, "-f", LOAD, "--check", "lost < 1", *words)
        if "--resume" not in words
        else (capacity(tmp_path, *words))
    )
    assert code == ExitCode.USAGE
    assert said.lower() in err.lower() and err.count("\n") == 1


def test_without_a_check_there_is_nothing_to_hold(tmp_path: Path) -> None:
    code, _, err = capacity(tmp_path, "-f", LOAD, "--host", "ws://127.0.0.1:1", "--rate", "1..2")
    assert code == ExitCode.USAGE and "--check is missing" in err


def test_a_check_on_what_a_metric_does_not_have_is_refused(tmp_path: Path) -> None:
    words = ("-f", LOAD, "--host", "ws://127.0.0.1:1", "--rate", "1..2", "--check", "open.lost < 1")
    code, _, err = capacity(tmp_path, *words)
    assert code == ExitCode.USAGE and "open has no 'lost': use p50, " in err


def test_the_plan_is_shown_without_making_a_step(tmp_path: Path) -> None:
    code, _, err = capacity(tmp_path, *QUICK, "--serve", f"{SERVE} 60", "--rate", "20..320", "--plan")
    assert code == 0 and "at most 14 steps" in err
    assert not (tmp_path / "results").exists()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    code, _, err = capacity(
        tmp_path, *QUICK, "--host", "ws://127.0.0.1:1", "--rate", "1..2", "--ready-timeout", "1s"
    )
    assert code == ExitCode.SERVER_FAILED and "did not answer a WebSocket handshake" in err
