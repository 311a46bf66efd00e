"""One headless Locust run as a child process, with a time limit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from wsload.children import Command, Guard
from wsload.commands.harness.pinning import Cores
from wsload.errors import NotWritten, UsageError
from wsload.exit_codes import ExitCode
from wsload.judge.run.standing import unusable
from wsload.results.reader import StoredRun, find_runs, open_run
from wsload.words import span

GRACE_S: Final = 60.0
"""How long Locust may take to start, drain and write, on top of its run time and a fifth of it."""
_STEP_S: Final = 0.25


class LoadPlan(Protocol):
    """The load of a run, as far as it does not depend on the server."""

    @property
    def locustfile(self) -> str: ...

    @property
    def users(self) -> int: ...

    @property
    def spawn_rate(self) -> float:
        """Users per second."""

    @property
    def options(self) -> tuple[str, ...]:
        """Further options for Locust."""


class LoadRefused(UsageError):
    """Locust did not start the run: its options or its locustfile are wrong."""

    def __init__(self, message: str, tail: str = "") -> None:
        super().__init__(message)
        self.tail = tail
        """The last lines of its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The result of a Locust run."""

    run: StoredRun | None
    """None if it left none that can be read."""
    problem: str
    """Why the run can't be used, in one sentence; empty if it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server to load, and where its results go."""

    name: str
    """Its build's label."""
    url: str
    results: Path


def command(plan: LoadPlan, targets: Sequence[Target], run_time_s: float) -> list[str]:
    """The Locust command line that loads one server, or two at the same time."""
    first, *others = targets
    words = [
        *(sys.executable, "-m", "locust", "-f", plan.locustfile, "--headless", "--only-summary"),
        *("-u", str(plan.users), "-r", f"{plan.spawn_rate:g}", "-t", f"{max(round(run_time_s), 1)}s"),
        *("--host", first.url, "--ws-results", str(first.results), "--ws-build", first.name),
    ]
    for other in others:
        words += ["--ws-beside", other.url, "--ws-beside-build", other.name]
        words += ["--ws-beside-results", str(other.results)]
    return [*words, *plan.options]


def make_load(
    plan: LoadPlan,
    targets: Sequence[Target],
    *,
    run_time_s: float,
    log: Path,
    guard: Guard,
    check: Callable[[], None],
    cores: Cores = frozenset(),
    grace_s: float = GRACE_S,
) -> list[Load]:
    """Runs Locust until it ends, or until the time limit; returns what became of each target.

    ``check`` is called now and then, and may raise. Raises `LoadRefused` when Locust does not start, and `NotWritten`
    when it could not store its results.
    """
    words = command(plan, targets, run_time_s)
    limit_s = 1.2 * run_time_s + grace_s
    child = Command(words, what="locust", log=log, guard=guard, cores=cores)
    hung = False
    try:
        waited_s = 0.0
        while not child.wait(_STEP_S):
            check()
            waited_s += _STEP_S
            if waited_s > limit_s:
                hung = True
                break
    finally:
        child.stop()
    check()
    found = [find_runs(target.results) if target.results.is_dir() else [] for target in targets]
    if not any(found) and child.returncode == ExitCode.USAGE and not hung:
        last = child.tail(1) or "it wrote nothing"
        raise LoadRefused(f"locust did not start: {last}", child.tail())
    how = f"did not end within {span(limit_s)}" if hung else f"ended with exit code {child.returncode}"
    loads = [_load(runs, how, child.returncode, hung=hung) for runs in found]
    if child.returncode == ExitCode.BROKEN and any(load.problem for load in loads):
        raise NotWritten(f"locust {how}: its results could not be stored", child.tail())
    return loads


def _load(runs: Sequence[Path], how: str, code: int | None, *, hung: bool) -> Load:
    if not runs:
        return Load(run=None, problem=f"locust {how} and left no results")
    run = open_run(runs[-1])
    return Load(run=run, problem=f"locust {how} and was killed" if hung else _problem(run, code))


def _problem(run: StoredRun, code: int | None) -> str:
    if run.info.ended_at is None:
        return f"locust ended with exit code {code}, and the run is incomplete"
    return unusable(run.info, run.problems)
