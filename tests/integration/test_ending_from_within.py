"""Whatever in a user class ends the run, and by whichever of Locust's ways: in order, with results."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from support.locust_run import FILES, LOCUSTFILES, Finished, processes
from support.serving import Serving, echo

PLACES = ("task", "on_start", "on_connect", "on_message", "on_stop", "thread", "listener", "event")
RUN_TIME_S = 5


@pytest.mark.parametrize(
    ("where", "how"),
    [
        *((where, "quit") for where in PLACES),
        *((where, "exit") for where in PLACES),
        *((where, "stop") for where in ("task", "listener")),
        *((where, "StopTest") for where in ("task", "on_start", "thread", "listener", "event")),
    ],
)
def test_a_run_ends_in_order(
    run_locust: Callable[..., Finished], serving: Serving, where: str, how: str
) -> None:
    finished = run_locust(
        *("-f", LOCUSTFILES / "enders.py", "--headless", "-u", "4", "-r", "4", "-t", f"{RUN_TIME_S}s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"TEST_WHERE": where, "TEST_HOW": how},
        limit_s=30,
    )
    assert finished.returncode == (7 if how == "exit" else 0), finished.stderr
    assert "Traceback" not in finished.stderr
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert finished.run["ended_at"] is not None
    assert (finished.summary["duration_s"] < RUN_TIME_S - 1) == (where != "on_stop"), "ended by the run time"
    assert finished.stdout.count("Results: ") == 1
    if where not in ("on_start", "on_connect"):
        assert finished.count("message") > 0
    if how != "exit":
        # Nothing was missed on the way to Locust's own table, not even by a listener's own ending.
        assert finished.rows["open"].requests == finished.count("open") == 4


@pytest.mark.parametrize("how", ["quit", "stop", "exit", "StopTest"])
def test_a_listener_of_errors_in_user_classes_ends_the_run_as_any_other(
    run_locust: Callable[..., Finished], serving: Serving, how: str
) -> None:
    finished = run_locust(
        *("-f", LOCUSTFILES / "enders.py", "--headless", "-u", "4", "-r", "4", "-t", f"{RUN_TIME_S}s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"TEST_WHERE": "error", "TEST_HOW": how},
        limit_s=30,
    )
    assert finished.returncode == (7 if how == "exit" else 1), finished.stderr
    assert finished.summary["duration_s"] < RUN_TIME_S - 1
    assert finished.stderr.count("Traceback") == finished.stderr.count("counted, but not shown") == 1


def test_several_processes_end_each_by_itself_and_the_run_with_them(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    finished = run_locust(
        *(
            "-f",
            LOCUSTFILES / "enders.py",
            "--headless",
            "-u",
            "4",
            "-r",
            "4",
            "-t",
            "20s",
            *processes(2),
        ),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"TEST_WHERE": "task", "TEST_HOW": "quit"},
        limit_s=30,
    )
    assert finished.returncode == 0
    assert finished.summary["duration_s"] < 10
    assert finished.count("message") > 0


@pytest.mark.parametrize("where", ["task", "listener"])
def test_stop_test_on_one_worker_stops_the_run_of_all(
    run_locust: Callable[..., Finished], serving: Serving, where: str
) -> None:
    """One of four users raises it, on one of two workers."""
    finished = run_locust(
        *("-f", LOCUSTFILES / "enders.py", "--headless", "-u", "4", "-r", "4", "-t", "20s", *processes(2)),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"TEST_WHERE": where, "TEST_HOW": "StopTest", "TEST_ONE_WORKER": "yes"},
        limit_s=30,
    )
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.summary["duration_s"] < 10
    assert len(re.findall(r"Stopping the run: .*: enough \(worker \S+\)", finished.stderr)) == 1
    assert len(finished.summary["processes"]) == 2
