"""One Locust run as a child; the real command, cut short where it can be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.locust_run import CHAT
from support.made_runs import TRUSTED, UNTRUSTED, make_run, second

from wsload.children import Guard
from wsload.commands.ab.plan import ExperimentPlan
from wsload.commands.harness.builds import Build
from wsload.commands.harness.load import Load, LoadRefused, Target, _problem, command, make_load
from wsload.errors import NotWritten, WsloadError
from wsload.results.reader import open_run
from wsload.results.trust import Standing, Trust

PLAN = ExperimentPlan(
    a=Build(name="v1", url="ws://127.0.0.1:1"),
    b=Build(name="v2", url="ws://127.0.0.1:1"),
    locustfile=str(CHAT),
    users=3,
    spawn_rate=1.5,
    run_time_s=10,
    options=("--ws-rate", "100"),
)


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def made(
    tmp_path: Path,
    guard: Guard,
    plan: ExperimentPlan,
    *,
    run_time_s: float = 1,
    grace_s: float = 60,
    check=lambda: None,
) -> Load:  # type: ignore[no-untyped-def]
    (load,) = make_load(
        plan,
        [Target(name="v1", url="ws://127.0.0.1:1", results=tmp_path / "results")],
        run_time_s=run_time_s,
        log=tmp_path / "log",
        guard=guard,
        check=check,
        grace_s=grace_s,
    )
    return load


def locustfile(tmp_path: Path, text: str) -> ExperimentPlan:
    (tmp_path / "load.py").write_text(text)
    return replace(PLAN, locustfile=str(tmp_path / "load.py"), options=())


def test_the_command_says_everything_that_the_plan_does() -> None:
    one = Target(name="v1", url="ws://x", results=Path("here"))
    other = Target(name="v2", url="ws://y", results=Path("there"))
    usual = [
        *(sys.executable, "-m", "locust", "-f", str(CHAT), "--headless", "--only-summary"),
        *("-u", "3", "-r", "1.5", "-t", "10s"),
        *("--host", "ws://x", "--ws-results", "here", "--ws-build", "v1"),
    ]
    beside = ["--ws-beside", "ws://y", "--ws-beside-build", "v2", "--ws-beside-results", "there"]
    assert command(PLAN, [one], 10.0) == [*usual, "--ws-rate", "100"]
    assert command(PLAN, [one, other], 10.0) == [*usual, *beside, "--ws-rate", "100"]


def test_options_that_locust_refuses_are_quoted(tmp_path: Path, guard: Guard) -> None:
    plan = replace(PLAN, options=("--ws-rate", "many"))
    with pytest.raises(
        LoadRefused, match="locust did not start: locust: error: argument --ws-rate: 'many'"
    ) as caught:
        made(tmp_path, guard, plan)
    assert "--ws-rate" in caught.value.tail


def test_a_locust_that_hangs_is_killed(tmp_path: Path, guard: Guard) -> None:
    plan = locustfile(
        tmp_path, "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n"
    )
    found = made(tmp_path, guard, plan, grace_s=0.1)
    assert found.run is None
    assert found.problem == "locust did not end within 1.3 s and left no results"


def test_a_locust_that_dies_is_said_so(tmp_path: Path, guard: Guard) -> None:
    plan = locustfile(tmp_path, "import os\nos._exit(9)\n")
    assert made(tmp_path, guard, plan).problem == "locust ended with exit code 9 and left no results"


def test_a_locust_that_could_not_store_its_results_ends_the_experiment(tmp_path: Path, guard: Guard) -> None:
    plan = locustfile(tmp_path, "import os\nprint('no space', flush=True)\nos._exit(7)\n")
    with pytest.raises(NotWritten, match="exit code 7: its results could not be stored") as caught:
        made(tmp_path, guard, plan)
    assert caught.value.tail == "no space"


def test_a_server_that_dies_ends_the_load(tmp_path: Path, guard: Guard) -> None:
    def check() -> None:
        raise WsloadError("the server is gone")

    plan = locustfile(tmp_path, "import time\ntime.sleep(60)\n")
    with pytest.raises(WsloadError, match="the server is gone"):
        made(tmp_path, guard, plan, check=check)


@pytest.mark.parametrize(
    ("trust", "problem"),
    [
        (TRUSTED, ""),
        (replace(TRUSTED, standing=Standing.PARTLY, up_to={"message": 95.0}), ""),
        (UNTRUSTED, "Not trusted: late"),
        (replace(TRUSTED, standing=Standing.NOTHING, verdict="Nothing was measured"), "Nothing was measured"),
    ],
)
def test_a_run_is_repeated_only_if_nothing_of_it_is_trusted(
    tmp_path: Path, trust: Trust, problem: str
) -> None:
    run = open_run(make_run(tmp_path, [second(0, [1.0])], trust=trust))
    assert _problem(run, 0) == problem


def test_a_run_without_end_or_with_a_file_missing_is_repeated(tmp_path: Path) -> None:
    killed = make_run(tmp_path / "one", [second(0, [1.0])], trust=None)
    assert _problem(open_run(killed), -9) == "locust ended with exit code -9, and the run is incomplete"
    cut = make_run(tmp_path / "other", [second(0, [1.0])])
    (cut / "summary.json").unlink()
    assert _problem(open_run(cut), 0) == "incomplete: summary.json is missing"
