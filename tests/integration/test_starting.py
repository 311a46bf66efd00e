"""A locustfile's listeners of ``test_start`` come before the run: they may set its host, take time, or end it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from support.locust_run import FILES, LOCUSTFILES, Finished, processes
from support.serving import Serving, echo

LOAD = ("-f", LOCUSTFILES / "starting.py", "--headless", "-u", "2", "-r", "2")


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("how", "has_host"), [("environment", False), ("environment", True), ("class", False), ("url", True)]
)
def test_the_host_is_the_one_that_a_listener_has_set_last(
    run_locust: Callable[..., Finished], serving: Serving, number: int, how: str, has_host: bool
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    other = ("--host", f"ws://127.0.0.1:{serving.free_port()}") if has_host else ()
    finished = run_locust(
        *(*LOAD, "-t", "3s", *other, *processes(number)), env={"TEST_HOW": how, "TEST_HOST": host}
    )
    assert finished.run["target"] == f"{host}/room", finished.stderr
    assert finished.count("message") > 0 and finished.failures == {}


@pytest.mark.parametrize("number", [1, 2])
def test_time_begins_when_the_last_listener_has_returned(
    run_locust: Callable[..., Finished], serving: Serving, number: int
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust(
        *(*LOAD, "-t", "6s", "--host", host, "--ws-warm-up", "1s", *processes(number)),
        env={"TEST_HOW": "slow", "TEST_HOST": host},
    )
    decided_at = min(map(float, re.findall(r"decided at ([\d.]+)", finished.stdout)))
    assert datetime.fromisoformat(finished.run["started_at"]).timestamp() >= decided_at - 0.01
    assert finished.run["window"]["from_s"] == 1
    assert finished.count("message") > 0


@pytest.mark.parametrize(("how", "number"), [("signal", 1), ("signal", 2), ("quit", 1), ("StopTest", 1)])
def test_a_run_that_is_ended_before_it_has_begun_leaves_results(
    run_locust: Callable[..., Finished], serving: Serving, how: str, number: int
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust(
        *(*LOAD, "-t", "4s", "--host", host, *processes(number)), env={"TEST_HOW": how, "TEST_HOST": host}
    )
    assert finished.returncode == 5, finished.stderr
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert finished.run["ended_at"] is not None and finished.run["target"] == f"{host}/room"
