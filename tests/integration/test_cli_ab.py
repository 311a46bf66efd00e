"""``wsload ab`` as people type it: real servers, real Locust runs, to each of its exit codes.

Few posts a run: fewer late ones than invalidate a run, so that a busy machine does not decide these tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.locust_run import CHAT
from support.waiting import until

from wsload.exit_codes import ExitCode

SERVE = f"{sys.executable} -m wsload serve --port {{port}} --quiet-roster"
SLOW = f"{SERVE} --fault delay=100ms"
QUICK = ("-f", CHAT, "-u", "10", "-r", "10", "-t", "4s", "--warm-up", "0s", "--judge", "message.p50")
"""Some forty posts: a p50 needs twenty."""
TIME_LIMIT_S = 240.0
BUSY = """
import time
from locust import task
from wsload import ChatUser, constant_rate

class Busy(ChatUser):
    wait_time = constant_rate(10)

    @task
    async def post(self):
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        await self.say("hello")
"""
"""Uses up the processor that it lives on, so that nothing it measures is to be trusted."""


DYING = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "wsload", "serve", "--port", sys.argv[1]])
time.sleep(4)
print("out of memory", flush=True)
os._exit(137)
"""
"""Serves for a while, and then leaves its child alone."""


class Ab:
    """A ``wsload ab`` at work."""

    def __init__(self, cwd: Path, *words: str | Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"}
        self._err = (cwd / "stderr").open("w+b")
        self.child = subprocess.Popen(
            [sys.executable, "-m", "wsload", "ab", *map(str, words)],
            cwd=cwd,
            env=inherited | {"COLUMNS": "100", "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
        )
        self.out = ""

    @property
    def err(self) -> str:
        return Path(self._err.name).read_text("utf-8", "replace")

    def wait(self, code: int | set[int]) -> Ab:
        out, _ = self.child.communicate(timeout=TIME_LIMIT_S)
        self.out = out.decode()
        wanted = {code} if isinstance(code, int) else code
        assert self.child.returncode in wanted, f"{self.child.returncode}\n{self.out}\n{self.err}"
        return self

    def family(self) -> list[psutil.Process]:
        """What it has started, and what these have."""
        return psutil.Process(self.child.pid).children(recursive=True)

    def kill(self) -> None:
        self.child.kill()
        self.child.communicate()
        self._err.close()


def alive(process: psutil.Process) -> bool:
    """Whether it still runs: one that nobody waits for any more is dead, too."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


Start = Callable[..., Ab]


@pytest.fixture
def ab(tmp_path: Path) -> Iterator[Start]:
    started: list[Ab] = []

    def start(*words: str | Path, cwd: Path = tmp_path) -> Ab:
        started.append(Ab(cwd, *words))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def experiment(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    (place,) = (tmp_path / "results").glob("ab-*")
    return place, json.loads((place / "experiment.json").read_bytes())


def test_a_slower_commit_is_found_out(ab: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import os, sys\nwords = '-m wsload serve --quiet-roster {} --port'.split()\n"
    script += "os.execv(sys.executable, [sys.executable, *words, sys.argv[1]])\n"
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "--quiet", str(tmp_path)], check=True)
    for tag, fault in (("v1", ""), ("v2", "--fault delay=300ms")):
        (tmp_path / "server.py").write_text(script.format(fault))
        for words in (["add", "server.py"], ["commit", "--quiet", "-m", tag], ["tag", tag]):
            subprocess.run([*git, *words], cwd=tmp_path, check=True)
    done = ab(
        *("--a-ref", "v1", "--b-ref", "v2", "--b-name", "candidate", "--build", "touch built"),
        *(
            "--serve",
            f"{sys.executable} server.py {{port}}",
            *QUICK,
            "--pairs",
            "3",
            "--",
            "--ws-drain",
            "1s",
        ),
    ).wait(1)
    assert "B (candidate) is slower than A (v1@" in done.out
    place, plan = experiment(tmp_path)
    assert [run["side"] for run in plan["runs"]] == ["A", "B", "B", "A", "A", "B"]
    assert plan["ended"] == "planned"
    data = json.loads(
        subprocess.run(
            [sys.executable, "-m", "wsload", "compare", str(place), "--format", "json"],
            capture_output=True,
            check=False,
            timeout=60,
        ).stdout
    )
    (judged,) = data["judgements"]
    assert (judged["name"], judged["verdict"]) == ("message.p50", "slower")
    # The candidate's server holds each echo back by 300 ms.
    assert 280e6 < judged["shift"] < 600e6
    assert 1.03 < judged["low"] < judged["ratio"] < judged["high"]
    for run in plan["runs"]:
        found = place / run["run"]
        assert json.loads((found / "run.json").read_bytes())["options"]["ws_drain"] == "1s"
        assert json.loads((found / "server.json").read_bytes())["memory_peak_bytes"] > 1e6
        assert "wsload serve: ws://127.0.0.1:" in (found / "server.log").read_text()
        assert (found / "locust.log").is_file()
    assert b"<!doctype html>" in (place / "comparison.html").read_bytes()
    trees = subprocess.run(
        [*git, "worktree", "list"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert trees.stdout.count("\n") == 1


def test_side_by_side_a_slower_server_is_found_out_in_the_same_seconds(ab: Start, tmp_path: Path) -> None:
    cores = psutil.Process().cpu_affinity() if psutil.LINUX else []
    pin = ("--pin", "auto") if len(cores) > 1 else ()
    first = ab("--a", SERVE, "--b", SLOW, *QUICK, "--pairs", "3", "--calibrate", "1", *pin)
    until(lambda: "run 2 of 6" in first.err, timeout_s=90, what="the first pair")
    until(lambda: len(first.family()) >= 4, timeout_s=60, what="watchdog, servers and locust of the second")
    family = first.family()
    if pin:
        places = [frozenset(each.cpu_affinity()) for each in family]
        assert any(one.isdisjoint(other) for one in places for other in places)
        assert "\nCores: " in first.err
    first.child.send_signal(signal.SIGINT)
    first.wait(4)
    until(lambda: not [each for each in family if alive(each)], what=f"the end of {family}")
    place, plan = experiment(tmp_path)
    assert [run["slot"] for run in plan["runs"]] == [1, 2]

    done = ab("--resume", place).wait(1)
    assert "is slower than A" in done.out
    _, plan = experiment(tmp_path)
    assert [run["side"] for run in plan["runs"]] == ["A", "B", "B", "A", "A", "B"]
    (calibration,) = plan["calibrations"]
    assert calibration["valid"] and (place / "calibration" / calibration["a"] / "run.json").is_file()
    runs = [json.loads((place / run["run"] / "run.json").read_bytes()) for run in plan["runs"]]
    for one, other in zip(runs[::2], runs[1::2], strict=True):
        assert max(one["started_at"], other["started_at"]) < min(one["ended_at"], other["ended_at"])
    partners = [run["partner"] for run in runs]
    assert partners == [plan["runs"][at ^ 1]["run"] for at in range(6)]


def test_the_same_server_twice_is_not_slower_and_an_experiment_goes_on_after_a_break(
    ab: Start, tmp_path: Path
) -> None:
    words = ("--a", SERVE, "--b", SERVE, *QUICK, "--warm-up", "1s", "--pairs", "2", "--one-at-a-time")
    first = ab(*words)
    until(lambda: "run 1 of 4" in first.err, timeout_s=90, what="the first run")
    until(lambda: len(first.family()) >= 3, timeout_s=60, what="watchdog, server and locust of the second")
    family = first.family()
    first.child.send_signal(signal.SIGINT)
    first.wait(4)
    until(lambda: not [each for each in family if alive(each)], what=f"the end of {family}")
    place, plan = experiment(tmp_path)
    assert (
        "Interrupted: 1 of 4 runs were made, 0 of 2 pairs are complete; missing: 2 (B), 3 (B), 4 (A)"
        in first.err
    )
    assert f"To continue: wsload ab --resume {place.relative_to(tmp_path)}" in first.err
    assert len(plan["runs"]) == 1

    assert "is not finished: resume it first" in ab("--resume", place, "--more", "2").wait(2).err

    second = ab("--resume", place).wait({0, 4})
    _, plan = experiment(tmp_path)
    assert [run["slot"] for run in plan["runs"]] == [1, 2, 3, 4]
    assert plan["ended"] == "planned"
    assert second.out.startswith(("NOT SLOWER", "FASTER", "INCONCLUSIVE"))
    # On a busy machine others may have been repeated, too.
    assert any(path.name.startswith("run-02-B") for path in (place / "discarded").iterdir())

    third = ab("--resume", place, "--more", "2").wait({0, 4})
    _, plan = experiment(tmp_path)
    assert (len(plan["runs"]), plan["more"], plan["ended"]) == (8, [2], "planned")
    assert "4 pairs of runs" in third.out


def test_one_that_was_killed_is_gone_on_with_from_anywhere_and_leaves_nothing(
    ab: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory was not stored, and worktrees and temporary directories stayed for ever."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    temporary, elsewhere = tmp_path / "tmp", tmp_path / "elsewhere"
    temporary.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.test", "-c", "commit.gpgsign=false"]
    work = tmp_path / "work"
    subprocess.run([*git, "init", "--quiet", str(work)], check=True)
    for words in (["commit", "--quiet", "--allow-empty", "-m", "v1"], ["tag", "v1"]):
        subprocess.run([*git, *words], cwd=work, check=True)
    names = ("--a-ref", "v1", "--b-ref", "HEAD", "--a-name", "old", "--b-name", "new")
    first = ab(*names, "--serve", SERVE, *QUICK, "--pairs", "2", cwd=work)
    until(lambda: "run 1 of 4" in first.err, timeout_s=90, what="the first run")
    until(lambda: len(first.family()) >= 3, timeout_s=60, what="watchdog, server and locust of the second")
    family = first.family()
    first.child.kill()
    first.child.wait()
    until(lambda: not [each for each in family if alive(each)], what=f"the end of {family}")
    assert list(temporary.glob("wsload-ab-*"))

    (place,) = (work / "results").glob("ab-*")
    ab("--resume", place, cwd=elsewhere).wait({0, 1, 4})
    assert len(json.loads((place / "experiment.json").read_bytes())["runs"]) == 4
    assert list(temporary.glob("wsload-ab-*")) == []
    trees = subprocess.run([*git, "worktree", "list"], cwd=work, capture_output=True, text=True, check=True)
    assert trees.stdout.count("\n") == 1


def test_runs_that_are_never_valid_are_3(ab: Start, tmp_path: Path) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    words = ("-f", "busy.py", "-u", "1", "-r", "1", "-t", "4s", "--warm-up", "0s", "--pairs", "10")
    done = ab("--a", SERVE, "--b", SERVE, *words, "--repeat", "1").wait(3)
    assert done.out == ""
    last = done.err.splitlines()[-1]
    assert last.startswith(
        "wsload: 6 attempts in a row were not valid, so the experiment was stopped: Not trusted: "
    )
    place, plan = experiment(tmp_path)
    assert len(plan["runs"]) == 4  # two pairs were repeated once, and the third could not be
    assert f"To continue: wsload ab --resume {place.relative_to(tmp_path)}" in done.err


def test_a_build_that_answers_nothing_is_named_and_no_run_to_be_repeated(ab: Start, tmp_path: Path) -> None:
    """It was 3 after six attempts, which the CI recipes let pass."""
    words = ("--b", f"{SERVE} --fault drop=100%", "--b-name", "deaf", *QUICK, "--pairs", "2")
    done = ab("--a", SERVE, *words).wait(ExitCode.NOTHING_MEASURED)
    assert done.out == ""
    last = done.err.splitlines()[-1]
    said = "wsload: the load got no answer from B (deaf): Nothing was measured: not one request was answered; message: "
    assert last.startswith(said)
    place, plan = experiment(tmp_path)
    assert plan["runs"] == [] and len(list((place / "discarded").glob("run-02-B*"))) == 1


def test_a_server_that_dies_under_load_ends_the_experiment(ab: Start, tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    dying = f"{sys.executable} dying.py {{port}}"
    done = ab("--a", dying, "--b", SERVE, *QUICK, "-t", "60s", "--pairs", "2").wait(ExitCode.SERVER_FAILED)
    assert done.out == ""
    assert "  | out of memory\n" in done.err
    assert done.err.endswith("wsload: server A ended with exit code 137 under load\n")


def test_a_server_that_does_not_start_is_not_a_slow_one(ab: Start) -> None:
    absent = f"{sys.executable} -c raise(SystemExit(3)) {{port}}"
    done = ab("--a", absent, "--b", SERVE, *QUICK, "--pairs", "2").wait(ExitCode.SERVER_FAILED)
    assert done.err.endswith("wsload: server A ended with exit code 3 before it answered\n")


def test_what_is_planned_can_be_looked_at_first(ab: Start, tmp_path: Path) -> None:
    done = ab(
        "--a", SERVE, "--b", "wss://user.test/chat", "--b-name", "new", "-f", CHAT, "--plan", "--power", "5%"
    ).wait(0)
    assert (
        "10 pairs of runs, side by side, and 1 pair with A on both sides for calibration: 12 s each, after 5 s of "
        "warm-up, 50 users a run; about 3 min 51 s in all" in done.err
    )
    assert "Detecting a slowdown of 5 % in 4 of 5 experiments takes" in done.err
    assert not (tmp_path / "results").exists()


A_B = ("--a", SERVE, "--b", SLOW)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "wsload: give --a (a command or a URL) or --a-ref (a git ref)"),
        ((*A_B, "--b-ref", "HEAD", "-f", CHAT), "give --b (a command or a URL) or --b-ref (a git ref)"),
        (("--a-ref", "HEAD", "--b", SERVE, "-f", CHAT), "--a-ref 'HEAD': --serve is missing"),
        ((*A_B, "-f", "nowhere.py"), "--locustfile 'nowhere.py': no such file"),
        ((*A_B, "-f", CHAT, "-t", "0.5s"), "--run-time '0.5s': only whole seconds are allowed"),
        ((*A_B, "-f", CHAT, "-t", "soon"), "--run-time 'soon': a duration is a number"),
        (
            (*A_B, "-f", CHAT, "--pin", "C=1"),
            "--pin C=1: use auto, or cores by name such as A=0,B=1,load=2-3",
        ),
        (
            (*A_B, "-f", CHAT, "--power", "2%"),
            "a change of 2 % can't be detected, because only more than 3 %",
        ),
        ((*A_B, "-f", CHAT, "--a-name", "B"), "both builds are called 'B'"),
        ((*A_B, "-f", CHAT, "--", "--host", "x"), "--host after --: wsload ab sets it itself"),
        (
            (*A_B, "-f", CHAT, "--side-by-side", "--", "--processes", "2"),
            "--processes needs --one-at-a-time: side by side, one process loads both builds",
        ),
        (
            (*A_B, "-f", CHAT, "--one-at-a-time", "--calibrate", "1"),
            "--calibrate works only side by side: leave it out, or add --side-by-side",
        ),
        ((*A_B, "-f", CHAT, "--", "--ws-beside", "x"), "--ws-beside after --: wsload ab sets it itself"),
        (("--resume", "nowhere"), "nowhere: can't be opened"),
        ((*A_B, "-f", CHAT, "--more", "5"), "--more adds pairs to an experiment: name it with --resume"),
        (("--resume", ".", "--pairs", "9"), "--resume continues the stored plan: --pairs can't change it"),
        (("--resume", "."), "experiment.json: no such file"),
        (("--a", "nodde {port}", "--b", SERVE, "-f", CHAT), "server A: can't run 'nodde' (No such file"),
    ],
)
def test_a_mistake_is_one_line(ab: Start, words: tuple[str | Path, ...], said: str) -> None:
    done = ab(*words).wait(2)
    assert done.out == ""
    assert said in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_options_that_locust_refuses_are_quoted(ab: Start) -> None:
    done = ab(*A_B, *QUICK, "--", "--no-such-option").wait(2)
    assert "unrecognized arguments: --no-such-option" in done.err
    assert "wsload: locust did not start: " in done.err
