"""A signal that comes while a run is already ending, or after one has ended: nothing of a run is lost by it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from support.locust_run import FILES, LOCUSTFILES, Finished, LocustRun, own_ports, processes
from support.owing import HUP, INT, LATER_S, OWING, TERM, slow, started
from support.serving import Serving, echo
from support.waiting import until


def expect_whole(finished: Finished, code: int = 0) -> None:
    """The run was judged with all that its users sent, and the process ended in order."""
    assert finished.returncode == code, finished.stderr
    assert "Traceback" not in finished.stderr
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert finished.run["ended_at"] is not None
    assert not [
        warning for warning in finished.run["warnings"] if warning["name"] in ("cut-short", "worker-lost")
    ]
    assert finished.counter("sent") == finished.count("message") > 0
    assert finished.stdout.count("Results: ") == 1


@pytest.mark.parametrize("whole_group", [False, True], ids=["one process", "all processes"])
@pytest.mark.parametrize("number", [INT, TERM, HUP], ids=lambda number: number.name)
@pytest.mark.parametrize("processes_", [1, 2])
def test_the_first_signal_waits_for_the_end_in_progress(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    number: signal.Signals,
    processes_: int,
    whole_group: bool,
) -> None:
    """The run time is over, and users wait for answers that take three seconds."""
    more = ("-t", "3s", "--ws-drain", "10s", *processes(processes_))
    run = started(start_locust, serving, *more, handler=slow)
    run.wait_for("--run-time limit reached")
    if whole_group:
        run.signal(number)
    else:
        os.kill(run.pid, number)
    expect_whole(run.finish())


class Page:
    """A locust with a web UI."""

    def __init__(
        self, start_locust: Callable[..., LocustRun], host: str, *more: str | Path, **settings: object
    ) -> None:
        port = own_ports()[-1]
        self.base = f"http://127.0.0.1:{port}"
        web = ("--web-host", "127.0.0.1", "--web-port", port)
        self.run = start_locust("-f", OWING, "--host", host, "--ws-drain", "10s", *web, *more, **settings)
        until(self._answers)

    def post(self, path: str, **data: object) -> Any:
        return requests.post(f"{self.base}/{path}", data=data, timeout=60).json()

    def _answers(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.base, timeout=10).ok
        return False


@pytest.mark.parametrize("number", [INT, TERM], ids=lambda number: number.name)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_signal_while_the_web_ui_stops_a_run_waits_for_its_end(
    start_locust: Callable[..., LocustRun], serving: Serving, workers: int, number: signal.Signals
) -> None:
    host, ports = f"ws://127.0.0.1:{serving.websocket(slow)}", own_ports()
    page = Page(start_locust, host, *(("--master", *ports) if workers else ()))
    worker = start_locust("-f", OWING, "--worker", *ports) if workers else None
    if worker is not None:
        page.run.wait_for("1 workers connected")
    assert page.post("swarm", user_count=4, spawn_rate=4)["success"]
    page.run.wait_for_intervals(2)
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(page.post, "stop")
        until(lambda: not page.post("swarm", user_count=4, spawn_rate=4)["success"], what="the run's ending")
        os.kill(page.run.pid, number)
        finished = page.run.finish()
        stopping.exception()  # the process may end before it has answered
    expect_whole(finished)
    if worker is not None:
        assert worker.finish().returncode == 0


@pytest.mark.parametrize("when", ["Running teardowns", "Shutting down", "Cleaning up runner"])
@pytest.mark.parametrize("number", [INT, TERM, HUP], ids=lambda number: number.name)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_signal_after_the_run_has_ended_changes_nothing(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    number: signal.Signals,
    workers: int,
    when: str,
) -> None:
    """A master sleeps for a second between the end of its run and its own."""
    ports = own_ports()
    more = ("--master", "--expect-workers", "1", *ports) if workers else ()
    run = started(start_locust, serving, "-t", "3s", "--loglevel", "DEBUG", *more)
    worker = start_locust("-f", OWING, "--worker", *ports) if workers else None
    run.wait_for(when)
    with contextlib.suppress(ProcessLookupError):
        os.kill(run.pid, number)
    expect_whole(run.finish())
    if worker is not None:
        assert worker.finish().returncode == 0


@pytest.mark.parametrize("processes_", [1, 2])
@pytest.mark.parametrize("number", [INT, TERM], ids=lambda number: number.name)
def test_a_shape_that_is_over_has_ended_its_run_whatever_comes_then(
    start_locust: Callable[..., LocustRun], serving: Serving, processes_: int, number: signal.Signals
) -> None:
    more = ("-f", LOCUSTFILES / "shaped.py", *processes(processes_))
    run = started(start_locust, serving, *more, env={"TEST_SHAPE": "3:4"})
    directory = run.wait_for_intervals(1)
    until(lambda: (directory / "summary.json").exists(), what="the end of the run")
    with contextlib.suppress(ProcessLookupError):
        os.kill(run.pid, number)
    expect_whole(run.finish())


EXITS = """

@events.quitting.add_listener
def leave(environment, **_):
    __import__("sys").exit(3)
"""


@pytest.mark.parametrize("number", [INT, TERM, HUP], ids=lambda number: number.name)
@pytest.mark.parametrize("processes_", [1, 2])
def test_a_listener_that_exits_ends_a_run_in_order(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    tmp_path: Path,
    number: signal.Signals,
    processes_: int,
) -> None:
    (tmp_path / "locustfile.py").write_text(OWING.read_text() + EXITS)
    run = started(start_locust, serving, "-f", str(tmp_path / "locustfile.py"), *processes(processes_))
    run.wait_for_intervals(2)
    os.kill(run.pid, number)
    expect_whole(run.finish(), code=3)


def test_signals_are_counted_anew_once_a_run_has_ended(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    """With a shape the first only ends the run, and the web UI goes on; the next ends the process."""
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    page = Page(start_locust, host, "-f", LOCUSTFILES / "shaped.py", "--autostart")
    for number in (1, 2):
        page.run.wait_for("(?s:.*)".join(["Results go to"] * number))
        directory = page.run.wait_for_intervals(2)
        os.kill(page.run.pid, INT)
        if number == 1:
            until(lambda directory=directory: (directory / "summary.json").exists(), what="the run's end")
            until(lambda: page.post("swarm")["success"], what="the next run")
            time.sleep(LATER_S)
    finished = page.run.finish()
    assert finished.returncode == 0, finished.stderr
    assert "Interrupted again" not in finished.stderr
    assert "Traceback" not in finished.stderr
    assert len(finished.directories) == 2
    for directory in finished.directories:
        assert (directory / "summary.json").exists()


def test_a_signal_ends_a_process_whose_run_has_ended(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    page = Page(start_locust, host, "-f", LOCUSTFILES / "shaped.py", "--autostart")
    directory = page.run.wait_for_intervals(2)
    os.kill(page.run.pid, INT)
    until(lambda: (directory / "summary.json").exists(), what="the run's end")
    time.sleep(LATER_S)
    os.kill(page.run.pid, INT)
    expect_whole(page.run.finish())


AGAIN = """

from locust.runners import MasterRunner

@events.test_stopping.add_listener
def start_again(environment, **_):
    if isinstance(environment.runner, MasterRunner) and not hasattr(environment, "again"):
        environment.again = __import__("gevent").spawn_later(0.5, environment.runner.start, 2, 2)
"""


def test_a_master_that_starts_again_while_users_still_stop_has_two_runs(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> None:
    (tmp_path / "locustfile.py").write_text(OWING.read_text() + AGAIN)
    file, ports = ("-f", str(tmp_path / "locustfile.py")), own_ports()
    page = Page(start_locust, f"ws://127.0.0.1:{serving.websocket(slow)}", *file, "--master", *ports)
    worker = start_locust(*file, "--worker", *ports)
    page.run.wait_for("1 workers connected")
    assert page.post("swarm", user_count=2, spawn_rate=2)["success"]
    first = page.run.wait_for_intervals(2)
    assert page.post("stop")["success"]
    page.run.wait_for("Results go to(?s:.*)Results go to")
    assert (first / "summary.json").exists()
    (second,) = set(first.parent.iterdir()) - {first}
    until(
        lambda: (second / "counters.jsonl").read_bytes().count(b"\n") >= 4, what="intervals of the second run"
    )
    os.kill(page.run.pid, TERM)
    finished = page.run.finish()
    assert "Traceback" not in finished.stderr, finished.stderr
    assert worker.finish().returncode == 0
    for directory in (first, second):
        run = Finished(returncode=0, stdout="Results: ", stderr="", directories=(directory,))
        expect_whole(run)
