"""A load profile, in one process and over several, and a run that ends by itself: the real locust command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import CHAT, Finished, LocustRun, own_ports
from support.serving import Serving, echo
from websockets.asyncio.server import ServerConnection

from wsload.exit_codes import ExitCode

RUN = ("--headless", "--only-summary", "-u", "4", "-r", "4", "--ws-allow-invalid", "--ws-drain", "5s")


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two workers"])
def test_every_arrival_of_a_profile_is_made(
    run_locust: Callable[..., Finished], serving: Serving, processes: tuple[str, ...]
) -> None:
    """50 a second for three seconds, when all users are there: 150, but for one a process at most."""
    port = serving.websocket(echo, select_subprotocol=lambda _, offered: offered[0] if offered else None)
    profile = "0:0 4s:0 4s:50/s 7s:50/s 7s:0"
    finished = run_locust(
        *("-f", CHAT.parent / "echo.py", *RUN, *processes, "-t", "10s"),
        *("--host", f"ws://127.0.0.1:{port}", "--ws-profile", profile),
    )
    assert finished.returncode == 0, finished.stderr
    assert 146 <= finished.counter("requests") + finished.counter("unsent") <= 151
    assert finished.run["workload"]["kind"] == "open"
    assert finished.run["workload"]["profile"] == profile


def test_a_load_shape_may_follow_current_percentiles(
    run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path
) -> None:
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(
        "from locust import LoadTestShape, constant, task\n"
        "from wsload import WebSocketUser\n"
        "class Adaptive(LoadTestShape):\n"
        "    found = None\n"
        "    def tick(self):\n"
        "        rows = (self.runner.stats.total, self.runner.stats.get('message', 'WS'))\n"
        "        found = [row.get_current_response_time_percentile(0.95) for row in rows]\n"
        "        if None not in found:\n"
        "            print('found', found)\n"
        "            return None\n"
        "        return 2, 2\n"
        "class Guest(WebSocketUser):\n"
        "    wait_time = constant(0.05)\n"
        "    @task\n"
        "    async def ask(self):\n"
        "        await self.round_trip('hello')\n"
    )
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust("-f", locustfile, "--headless", "--only-summary", "--host", host, limit_s=40)
    assert finished.returncode == 0, finished.stderr
    assert "found [" in finished.stdout + finished.stderr
    assert finished.count("message") > 0


async def never(connection: ServerConnection) -> None:
    """Reads, and answers nothing."""
    async for _ in connection:
        pass


def test_a_run_ends_when_a_condition_lasts_and_says_when_and_why(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    port = serving.websocket(never, select_subprotocol=lambda _, offered: offered[0] if offered else None)
    finished = run_locust(
        *("-f", CHAT.parent / "echo.py", *RUN, "-t", "300s", "--host", f"ws://127.0.0.1:{port}"),
        *("--ws-rate", "20", "--ws-message-timeout", "1s", "--ws-abort-on", "lost > 3 for 2s"),
    )
    assert finished.returncode == ExitCode.FAILED, finished.stderr
    assert "--ws-abort-on: lost > 3 for 2s (got " in finished.stderr
    assert finished.summary["duration_s"] < 120
    check = finished.run["checks"][0]
    assert (check["expression"], check["passed"]) == ("lost <= 3", False)
    assert "so the run was ended at 0:" in check["reason"]


@pytest.mark.xdist_group("distributed")
def test_a_worker_that_joins_late_is_where_the_run_is(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    """It joins in the pause: what the others have done is not repeated, and what is left is not late."""
    common = ("-f", CHAT.parent / "echo.py")
    host, ports = f"ws://127.0.0.1:{serving.websocket(echo)}", own_ports()
    master = start_locust(
        *(*common, *RUN, "--master", "--expect-workers", "1", *ports, "--host", host, "-t", "25s"),
        *("--ws-profile", "0:0 4s:0 4s:100/s 7s:100/s 7s:0 20s:0 20s:100/s 22s:100/s 22s:0"),
    )
    workers = [start_locust(*common, "--worker", *ports[-2:])]
    master.wait_for_intervals(7)
    workers.append(start_locust(*common, "--worker", *ports[-2:]))
    finished = master.finish()
    for worker in workers:
        worker.finish()
    made = finished.counter("requests") + finished.counter("unsent")
    assert 496 <= made <= 504, finished.stderr
    assert len(finished.summary["processes"]) == 2
