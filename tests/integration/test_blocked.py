"""User classes that block or never end: every run ends in time, with results, and says what it was."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest
from support.locust_run import FILES, LOCUSTFILES, Finished, LocustRun, processes
from support.serving import Serving, echo

RUN_TIME_S, DRAIN_S = 4, 2
BOUND_S = RUN_TIME_S + DRAIN_S + 15
BUSY_S = 25
"""How much longer a busy machine may take, start and end of the process included."""


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("sleep", "Blocker.ask (blockers.py:"),
        ("compute", "Blocker.ask (blockers.py:"),
        ("on_close", "Blocker.on_close (blockers.py:"),
        ("on_stop", "Blocker.on_stop (blockers.py:"),
        ("deaf", "Blocker.never_mind (blockers.py:"),
    ],
)
def test_a_run_ends_in_time_and_names_what_kept_it(
    run_locust: Callable[..., Finished], serving: Serving, how: str, where: str, number: int
) -> None:
    began = time.monotonic()
    finished = run_locust(
        *("-f", LOCUSTFILES / "blockers.py", "--headless", "-u", "4", "-r", "4", "-t", f"{RUN_TIME_S}s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        *processes(number),
        env={"TEST_HOW": how},
        limit_s=60,
    )
    took_s = time.monotonic() - began
    assert took_s < BOUND_S + BUSY_S, f"{took_s:.1f} s"
    assert finished.returncode == 3  # though invalid runs are allowed: this one was cut short
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    warnings = {warning["name"]: warning for warning in finished.run["warnings"]}
    assert warnings["cut-short"]["invalidates"]
    assert where in warnings["cut-short"]["text"]
    assert "Traceback" not in finished.stderr
    assert finished.count("message") > 0
    if how in ("sleep", "compute"):
        assert "have been blocked for" in finished.stderr
        assert 'blockers.py", line' in finished.stderr  # its stack


def test_what_blocked_for_a_while_is_named_with_how_long(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    finished = run_locust(
        *("-f", LOCUSTFILES / "blockers.py", "--headless", "-u", "4", "-r", "4", "-t", "6s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"TEST_HOW": "sleep", "TEST_SECONDS": "2.5"},
    )
    assert finished.returncode == 0
    (blocked,) = [warning for warning in finished.run["warnings"] if warning["name"] == "blocked"]
    assert "Blocker.ask (blockers.py:" in blocked["text"] and " for 2." in blocked["text"]
    assert "have been blocked" not in finished.stderr


def test_a_call_that_keeps_the_interpreters_lock_ends_with_the_process(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    began = time.monotonic()
    finished = start_locust(
        *("-f", LOCUSTFILES / "blockers.py", "--headless", "-u", "4", "-r", "4", "-t", f"{RUN_TIME_S}s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"TEST_HOW": "lock"},
    ).finish()
    assert time.monotonic() - began < BOUND_S + BUSY_S
    assert finished.returncode == 1
    assert "Timeout" in finished.stderr and 'blockers.py", line' in finished.stderr
    assert finished.run["ended_at"] is None  # it was not judged


def test_a_worker_that_keeps_the_interpreters_lock_does_not_outlive_its_master(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    run = start_locust(
        *("-f", LOCUSTFILES / "blockers.py", "--headless", "-u", "4", "-r", "4", "-t", f"{RUN_TIME_S}s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}", *processes(2)),
        env={"TEST_HOW": "lock", "LOCUST_WS_ALLOW_INVALID": "false"},
    )
    run.wait_for_intervals(1)
    workers = psutil.Process(run.pid).children()
    finished = run.finish()
    assert finished.returncode == 3
    assert "worker-lost" in [warning["name"] for warning in finished.run["warnings"]]
    assert not psutil.wait_procs(workers, timeout=5)[1]
