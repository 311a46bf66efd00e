"""One run of a load generator that is held up, and how true what it trusted was."""

from __future__ import annotations

import contextlib
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.nuisances import CORE, NUISANCES
from wsload.children import isolated_environment
from wsload.commands.selftest.trial import read_posts
from wsload.commands.selftest.truth import percentiles
from wsload.judge.run.trust import SHARE, TOLERANCE_NS, TRUST_PERCENTILES
from wsload.measure.interval import Totals
from wsload.results.reader import find_runs, open_run
from wsload.results.trust import ALL, Trust
from wsload.server.process import ServerProcess

LOCUSTFILE: Final = Path(__file__).parents[1] / "clients" / "held_up.py"
DELAY: Final = "delay=exp:3ms"
USERS: Final = 10
OTHER_CORE: Final = 1
SPARE_S: Final = 60.0
BEGINNING: Final = 10
RUNNING: Final = 30
SERVING: Final = 40
"""Real-time priorities: one that begins does not hold up another that runs."""
MAX_ABSENT_S: Final = 0.01
MAX_ATTEMPTS: Final = 5
"""A run during which the server was late by more is made again, so often at most."""
MAX_UNDER_WAY_NS: Final = 20_000_000
"""The server has priority, so a post that took longer than this was held up between its timestamp and the write."""
CHECKED: Final = ("message", "message.service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to be held up."""

    about: str
    habit: str = "behave"
    """What the tasks do; see the locustfile."""
    nuisance: str = ""


KINDS: Final = {
    "idle": Kind(about="nothing holds it up"),
    "blocked": Kind(about="`time.sleep` of 5 to 30 ms after an answer", habit="block"),
    "blocked for long": Kind(about="`time.sleep` of 300 ms after an answer", habit="block long"),
    "blocked on sending": Kind(about="`time.sleep` of 2 to 10 ms before a post", habit="block before"),
    "working": Kind(about="10 ms of work in the hook for others' posts", habit="work"),
    "starved": Kind(about="busy processes on the same core", nuisance="starve"),
    "stopped": Kind(about="SIGSTOP for 30 to 300 ms", nuisance="stop"),
    "descheduled": Kind(about="a real-time process takes the core for 20 ms", nuisance="deschedule"),
}
MIN_OFTEN: Final = 0.01
MOST_OFTEN: Final = 0.2
"""How often a run is held up, as a share of its tasks or of its time, is drawn at random between these."""
WORKLOADS: Final = {"closed": {}, "open": {"HELD_UP_RATE": "20"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run trusted, and how much of that was wrong."""

    verdict: str
    level: float
    """Up to which percentile ``message`` was trusted."""
    posts: int
    trusted: int
    """How many percentiles were trusted, and compared."""
    wrong: tuple[str, ...]
    """Those of them that were wrong, in words."""
    hidden: int
    """How many percentiles were wrong, but not trusted."""


def run(kind: Kind, workload: str, *, seconds: int = 4) -> Result:
    """Makes one run, again if the server's core was taken from it. Raises `AssertionError` if it left no results."""
    for _ in range(MAX_ATTEMPTS):
        absent_s, found = _run(kind, workload, seconds=seconds)
        if absent_s < MAX_ABSENT_S:
            break
    return found


def _run(kind: Kind, workload: str, *, seconds: int) -> tuple[float, Result]:
    """For how long at most the server's core was taken from it, and what came out."""
    often = math.exp(random.uniform(math.log(MIN_OFTEN), math.log(MOST_OFTEN)))
    with tempfile.TemporaryDirectory(prefix="wsload-trust-") as name:
        directory = Path(name)
        account = directory / "account.jsonl"
        with ServerProcess("--fault", DELAY, "--truth", str(account)) as server, _witness() as absent_s:
            _give_precedence(server.pid)
            _load(kind, workload, often, server.url, directory, seconds)
            # Its end takes some milliseconds, which another run's server would miss.
            os.sched_setscheduler(server.pid, os.SCHED_OTHER, os.sched_param(0))
        run = open_run(find_runs(directory / "results")[-1])
        posts = read_posts(account)
        answered = posts.where(posts.answered > 0)
        assert run.info.trust is not None
        held_up = answered.received - answered.sent > MAX_UNDER_WAY_NS
        sent = np.where(held_up, answered.received, answered.sent)
        return absent_s(), compare(run.info.trust, run.totals(), answered.answered - sent)


def compare(trust: Trust, totals: Totals, truth_ns: np.ndarray) -> Result:
    """Compares a run's percentiles with the true times from each post's sending to its answer's."""
    trusted, hidden, wrong = 0, 0, []
    for metric in CHECKED:
        for rung, true_ns in zip(TRUST_PERCENTILES, percentiles(truth_ns, TRUST_PERCENTILES), strict=True):
            found_ns = totals.histograms[metric].percentile(rung)
            off = abs(found_ns - true_ns) > max(TOLERANCE_NS, SHARE * true_ns)
            if not trust.covers(metric, rung):
                hidden += off
                continue
            trusted += 1
            if off:
                words = "max" if rung == ALL else f"p{rung:g}"
                wrong.append(f"{metric} {words}: {found_ns / 1e6:.2f} ms, truly {true_ns / 1e6:.2f} ms")
    return Result(
        verdict=trust.verdict,
        level=trust.up_to.get("message", ALL),
        posts=len(truth_ns),
        trusted=trusted,
        wrong=tuple(wrong),
        hidden=int(hidden),
    )


@contextlib.contextmanager
def _witness() -> Iterator[Callable[[], float]]:
    """A process on the server's core, with its priority; called after the block, says how late it was at most, in s.

    Where it was late the server was late too, and so was its account: real-time processes lose their core when they
    take more than 95 % of a second together (sched(7)).
    """
    child = subprocess.Popen([sys.executable, "-c", _WITNESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said: list[bytes] = []
    try:
        _give_precedence(child.pid)
        yield lambda: float(said[0])
    finally:
        said.append(child.communicate()[0])


_WITNESS: Final = """
import select, sys, time
longest, last = 0.0, time.monotonic()
while not select.select([sys.stdin], [], [], 0.001)[0]:
    now = time.monotonic()
    longest, last = max(longest, now - last), now
print(longest)
"""


def _give_precedence(pid: int) -> None:
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(SERVING))
        os.sched_setaffinity(pid, {OTHER_CORE})


def _shield(pid: int, priority: int) -> None:
    """Gives all threads of a process real-time priority; those to come inherit it."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(priority))


def _load(kind: Kind, workload: str, often: float, url: str, directory: Path, seconds: int) -> None:
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"),
            *("--host", url, "-u", str(USERS), "-r", str(USERS), "-t", f"{seconds}s"),
            *("--ws-results", "results", "--ws-allow-invalid"),
        ],
        cwd=directory,
        env={
            **isolated_environment(directory),
            "HELD_UP_HABIT": kind.habit,
            "HELD_UP_OFTEN": f"{often:g}",
            **WORKLOADS[workload],
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        if kind.nuisance in ("starve", "deschedule"):
            os.sched_setaffinity(child.pid, {CORE})
        if kind.nuisance != "starve":  # otherwise real-time priority shields it from the rest of this machine
            _shield(child.pid, BEGINNING)
        deadline = time.monotonic() + SPARE_S
        while not list(directory.glob("results/*/run.json")) and child.poll() is None:
            assert time.monotonic() < deadline, "the run did not begin"
            time.sleep(0.02)
        if kind.nuisance != "starve":
            _shield(child.pid, RUNNING)
        with NUISANCES[kind.nuisance](child.pid, often):
            child.wait(seconds + SPARE_S)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
