"""Children end with all that they started; nothing outlives the one who started them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.waiting import until

from wsload.children import Command, Guard, tail, words_of
from wsload.errors import UsageError

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); time.sleep(60)"
)
"""A process that does not heed SIGTERM."""
FAMILY = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
print(child.pid, flush=True)
time.sleep(60)
"""
"""A process whose child does not."""


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # where nobody reaps orphans
    except psutil.NoSuchProcess:
        return True


def family(log: Path) -> int:
    """The grandchild's pid, once both are there."""
    text = until(lambda: log.is_file() and "ready" in log.read_text() and log.read_text(), what="the family")
    return next(int(word) for word in text.split() if word.isdigit())


def test_a_command_is_split_as_a_shell_would_and_nothing_is_expanded() -> None:
    assert words_of("node 'my server.js' --port 1 $HOME *", "--a") == [
        *("node", "my server.js", "--port", "1", "$HOME", "*"),
    ]
    with pytest.raises(UsageError, match=r"--a .*: can't be read .No closing quotation"):
        words_of("node 'x", "--a")
    with pytest.raises(UsageError, match="--a: an empty command"):
        words_of("  ", "--a")


@pytest.mark.parametrize(
    "command",
    ["cd app && node server.js", "npm ci && node x.js", "PORT=1 node x.js", "node x.js > log", "node x.js &"],
)
def test_what_only_a_shell_reads_is_refused(command: str) -> None:
    with pytest.raises(
        UsageError, match=f"--serve '{re.escape(command)}': commands run without a shell: use sh -c"
    ):
        words_of(command, "--serve")
    assert words_of(f"sh -c '{command}'", "--serve") == ["sh", "-c", command]


def test_output_goes_to_the_log(tmp_path: Path, guard: Guard) -> None:
    log = tmp_path / "log"
    words = [
        sys.executable,
        "-c",
        "import sys; print('out'); print('err\\x1b[31m', file=sys.stderr); sys.exit(7)",
    ]
    child = Command(words, what="--a", log=log, guard=guard, cwd=tmp_path)
    assert child.wait(20)
    child.stop()
    assert child.returncode == 7
    assert sorted(child.tail().splitlines()) == ["err\ufffd[31m", "out"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps processes on cores")
def test_a_child_and_what_it_starts_stay_on_their_cores(tmp_path: Path, guard: Guard) -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    ask = "import os; print(os.sched_getaffinity(0))"
    log, words = tmp_path / "log", ["sh", "-c", f"{sys.executable} -c '{ask}'; true"]
    child = Command(words, what="A", log=log, guard=guard, cores=frozenset((core,)))
    assert child.wait(20)
    child.stop()
    assert child.tail() == f"{{{core}}}"
    assert os.sched_getaffinity(0) == before


def test_a_program_that_is_not_there_is_the_users_mistake(tmp_path: Path, guard: Guard) -> None:
    with pytest.raises(UsageError, match=r"server A: can't run 'no-such-program' .No such file"):
        Command(["no-such-program"], what="server A", log=tmp_path / "log", guard=guard)


def test_a_log_that_can_not_be_opened_is_not_blamed_on_the_program(tmp_path: Path, guard: Guard) -> None:
    with pytest.raises(FileNotFoundError, match="no/log"):
        Command([sys.executable], what="server A", log=tmp_path / "no" / "log", guard=guard)


def test_stopping_ends_what_the_child_started_too(tmp_path: Path, guard: Guard) -> None:
    child = Command([sys.executable, "-c", FAMILY], what="A", log=tmp_path / "log", guard=guard)
    grandchild = family(tmp_path / "log")
    assert child.running
    child.stop()
    child.stop()  # again, as it may
    assert child.returncode == -signal.SIGTERM
    until(lambda: is_gone(grandchild), what="the grandchild's end")


def test_a_child_that_does_not_heed_sigterm_is_killed(tmp_path: Path, guard: Guard) -> None:
    child = Command([sys.executable, "-c", STUBBORN], what="A", log=tmp_path / "log", guard=guard)
    until(lambda: "ready" in tail(tmp_path / "log"), what="the child")
    child.stop(timeout_s=0.05)
    assert child.returncode == -signal.SIGKILL


def test_waiting_is_bounded(tmp_path: Path, guard: Guard) -> None:
    child = Command(
        [sys.executable, "-c", "import time; time.sleep(60)"], what="A", log=tmp_path / "log", guard=guard
    )
    assert not child.wait(0.01)
    assert child.returncode is None
    child.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    code = f"""
import pathlib, sys, time
from wsload.children import Command, Guard
Command([sys.executable, "-c", {FAMILY!r}], what="A", log=pathlib.Path({str(log)!r}), guard=Guard())
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    grandchild = family(log)
    child = psutil.Process(grandchild).ppid()
    os.kill(parent.pid, number)
    parent.wait()
    until(lambda: is_gone(child) and is_gone(grandchild), what="the end of the parent's children")


def test_a_log_is_told_by_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n\n" for number in range(10_000)))
    assert tail(log, 2) == "line 9998\nline 9999"
    assert tail(tmp_path / "nothing") == ""
