"""However a process is told to end, and whatever fails meanwhile: the run is judged, or says that it was not."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.locust_run import FILES, LOCUSTFILES, LocustRun, own_ports, processes
from support.owing import HUP, INT, LATER_S, OWING, TERM, slow, started
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

SHORTLY_S = 0.02


async def deaf(connection: ServerConnection) -> None:
    """Never answers: a run that ends waits for as long as it is told to."""
    async for _ in connection:
        pass


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    "signals",
    [
        (TERM,),
        (HUP,),
        (TERM, TERM),
        (HUP, HUP),
        (INT, INT),
        (INT, TERM),
        (TERM, INT),
        (HUP, TERM),
        (INT, TERM, HUP),
    ],
    ids=lambda signals: "+".join(each.name.removeprefix("SIG") for each in signals),
)
def test_signals_that_come_together_end_the_run_once_and_in_order(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    signals: tuple[signal.Signals, ...],
    number: int,
) -> None:
    run = started(start_locust, serving, *processes(number))
    run.wait_for_intervals(2)
    for each in signals:
        run.signal(each)
        time.sleep(SHORTLY_S)  # what is tested
    finished = run.finish()
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert finished.run["ended_at"] is not None
    assert finished.stdout.count("Results: ") == 1
    assert not [
        warning for warning in finished.run["warnings"] if warning["name"] in ("cut-short", "worker-lost")
    ]


@pytest.mark.parametrize("number", [INT, TERM, HUP], ids=lambda number: number.name)
def test_told_again_a_run_ends_without_waiting_and_is_judged(
    start_locust: Callable[..., LocustRun], serving: Serving, number: signal.Signals
) -> None:
    run = started(start_locust, serving, "--ws-drain", "60s", handler=deaf, limit_s=40)
    run.wait_for_intervals(2)
    run.signal(number)
    time.sleep(LATER_S)
    run.signal(number)
    finished = run.finish()
    assert "Interrupted again" in finished.stderr
    assert finished.returncode in (3, 5)
    assert "cut-short" in [warning["name"] for warning in finished.run["warnings"]]
    assert finished.run["ended_at"] is not None


@pytest.mark.parametrize("judged", [False, True])
def test_told_a_third_time_a_process_ends_at_once_and_says_so(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path, judged: bool
) -> None:
    """A listener of the locustfile's hangs, before or after wsload's own."""
    locustfile = tmp_path / "locustfile.py"
    hangs = "\n\n@events.test_stop.add_listener\ndef wait(**_):\n    __import__('gevent').sleep(1000)\n"
    before, imported, after = OWING.read_text().partition("from wsload import")
    locustfile.write_text(before + imported + after + hangs if judged else before + hangs + imported + after)
    run = started(start_locust, serving, "-f", str(locustfile), limit_s=40)
    run.wait_for_intervals(1)
    for _ in range(3):
        run.signal(TERM)
        time.sleep(LATER_S)
    finished = run.finish()
    assert finished.returncode == 128 + TERM
    assert "Ended at once" in finished.stderr
    assert ("was not judged" in finished.stderr) is not judged
    assert (finished.directory / "summary.json").exists() is judged


@pytest.mark.parametrize("number", [INT, TERM, HUP], ids=lambda number: number.name)
@pytest.mark.parametrize("processes_", [1, 2])
def test_a_signal_ends_a_run_with_a_shape_which_locust_lets_run_on(
    start_locust: Callable[..., LocustRun], serving: Serving, number: signal.Signals, processes_: int
) -> None:
    run = started(start_locust, serving, "-f", LOCUSTFILES / "shaped.py", *processes(processes_))
    run.wait_for_intervals(2)
    os.kill(run.pid, number)
    finished = run.finish()
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.run["ended_at"] is not None
    assert finished.stdout.count("Results: ") == 1


@pytest.mark.parametrize("processes_", [1, 2])
def test_users_that_a_ramp_down_has_told_to_stop_are_waited_for(
    start_locust: Callable[..., LocustRun], serving: Serving, processes_: int
) -> None:
    """The run ends a second after the ramp-down, while three users wait for answers that come later."""
    run = started(
        start_locust,
        serving,
        *("-f", LOCUSTFILES / "shaped.py", "--ws-drain", "10s", *processes(processes_)),
        handler=slow,
        env={"TEST_SHAPE": "4:4 5:1"},
    )
    finished = run.finish()
    assert finished.returncode == 0, finished.stderr
    assert finished.failures == {}
    assert finished.counter("sent") == finished.count("message") + finished.counter("lost") > 4
    assert finished.count("close") == 4


@pytest.mark.parametrize("number", [INT, TERM, HUP], ids=lambda number: number.name)
def test_a_signal_ends_a_master_that_waits_for_workers_and_those_that_have_come(
    start_locust: Callable[..., LocustRun], serving: Serving, number: signal.Signals
) -> None:
    ports = own_ports()
    master = started(start_locust, serving, "--master", "--expect-workers", "2", *ports)
    worker = start_locust("-f", OWING, "--worker", "--loglevel", "DEBUG", *ports)
    # Locust's own worker has a traceback for a master that ends before it has set up its reports.
    worker.wait_for("Connected to locust master")
    os.kill(master.pid, number)
    finished = master.finish()
    assert finished.returncode == 5
    assert "Ended before the run began" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert worker.finish().returncode == 0


def test_workers_end_with_a_master_that_was_killed(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    run = started(start_locust, serving, *processes(2))
    run.wait_for_intervals(2)
    workers = psutil.Process(run.pid).children()
    assert len(workers) == 2
    psutil.Process(run.pid).kill()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def test_a_directory_that_is_removed_is_told_of_at_once_and_is_no_success(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    run = started(start_locust, serving, "-t", "6s")
    shutil.rmtree(run.wait_for_intervals(1))
    run.wait_for(r"The results are incomplete: 1 of \d+ intervals could not be written .*removed")
    finished = run.finish()
    assert finished.returncode == 7
    assert finished.stderr.count("The results are incomplete") == 1
    assert "Traceback" not in finished.stderr


def test_a_disk_that_is_full_is_told_of_at_once_and_is_no_success(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    run = started(start_locust, serving, "-t", "6s")
    run.wait_for_intervals(1)
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
    run.wait_for("The results are incomplete: 1 of ")
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    finished = run.finish()
    assert finished.returncode == 7
    assert "results-incomplete" in [warning["name"] for warning in finished.run["warnings"]]


@pytest.mark.parametrize(
    ("check", "listeners", "expected"),
    [
        ("message.p50 < 1ns", {"TEST_LATE_CODE": "0"}, 1),
        ("message.p50 < 1ns", {"TEST_EARLY_CODE": "0"}, 1),
        ("message.p50 < 1ns", {"TEST_LATE_CODE": "9"}, 1),
        ("message.p50 < 1ns", {}, 1),
        ("message.p50 < 60s", {"TEST_LATE_CODE": "9"}, 9),
        ("message.p50 < 60s", {"TEST_LATE_CODE": "0"}, 0),
        ("message.p50 < 60s", {}, 0),
    ],
)
def test_no_listener_silences_a_check_that_failed(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    check: str,
    listeners: dict[str, str],
    expected: int,
) -> None:
    finished = started(start_locust, serving, "-t", "2s", "--ws-check", check, env=listeners).finish()
    assert finished.returncode == expected
    overruled = expected == 1 and bool(listeners)
    assert ("A check failed: exit code 1 overrides the" in finished.stderr) == overruled


@pytest.mark.parametrize(("allowed", "code"), [("false", 3), ("true", 0)])
def test_no_listener_silences_figures_that_can_not_be_trusted_unless_that_is_allowed(
    start_locust: Callable[..., LocustRun], serving: Serving, allowed: str, code: int
) -> None:
    environment = {"TEST_LATE_CODE": "0", "LOCUST_WS_ALLOW_INVALID": allowed}
    run = started(start_locust, serving, "-t", "30s", *processes(2), env=environment)
    run.wait_for_intervals(2)
    psutil.Process(run.pid).children()[0].kill()
    run.wait_for("setting state to missing")
    run.signal(INT)
    finished = run.finish()
    assert finished.returncode == code
    (lost,) = [each for each in finished.run["warnings"] if each["name"] == "worker-lost"]
    assert lost["invalidates"] and finished.run["trust"]["standing"] == "not trusted"
