"""Locust's ``request`` event: what others fire is recorded, what wsload fires has every argument."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import LOCUSTFILES, Finished, processes
from support.serving import Serving, echo


async def pages(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An HTTP server with one page."""
    while request := await reader.readuntil(b"\r\n\r\n"):
        status = b"200 OK" if b" /there " in request else b"404 Not Found"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nhi")


@pytest.mark.parametrize("number", [1, 2])
def test_all_that_was_fired_is_in_the_results_once(
    run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path, number: int
) -> None:
    finished = run_locust(
        *("-f", LOCUSTFILES / "own_events.py", "--headless", "-u", "5", "-r", "5", "-t", "4s"),
        *processes(number),
        env={
            "TEST_HTTP": f"http://127.0.0.1:{serving.tcp(pages)}",
            "TEST_ECHO": f"ws://127.0.0.1:{serving.websocket(echo)}",
        },
    )
    fired, heard = Counter[str](), Counter[str]()
    for path in tmp_path.glob("seen-*.json"):
        seen = json.loads(path.read_bytes())
        fired.update(seen["fired"])
        heard.update(seen["heard"])
    assert "Traceback" not in finished.stderr
    assert finished.returncode == 1  # some failed

    assert finished.count("my own") == fired["my own"] > 0
    assert finished.summary["metrics"]["my own"]["p50_ns"] == pytest.approx(250e6, rel=0.001)
    assert finished.failures["my own: ValueError: sold out"] == fired["my own failed"]
    assert finished.count("open (OWN)") == fired["open"]
    assert finished.count("measured") == fired["measured"]
    assert finished.count("not timed") == 0 < fired["not timed"]
    assert finished.count("/there") == fired["/there"] > 0
    assert (
        sum(number for what, number in finished.failures.items() if what.startswith("/missing"))
        == (fired["/missing failed"])
    )
    # Locust counted them when they were fired, and not again when they were recorded.
    assert finished.rows["/there"].requests == fired["/there"]
    assert finished.rows["measured"].requests == fired["measured"]
    # wsload's own are events too, since somebody listens, each of them once.
    refused = sum(number for what, number in finished.failures.items() if what == "message: sold out")
    assert heard["message"] == finished.count("message") > 0 < refused == heard["message failed"]
    assert finished.rows["message"].requests == heard["message"] + refused
    assert heard["open"] == finished.count("open")


def test_a_listener_that_never_returns_holds_up_nobody(
    run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path
) -> None:
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(
        "import time\n"
        "from locust import constant, events, task\n"
        "from wsload import WebSocketUser\n"
        "heard = 0\n"
        "@events.request.add_listener\n"
        "def block(**_):\n"
        "    global heard\n"
        "    heard += 1\n"
        "    if heard == 10:\n"
        "        time.sleep(1000)\n"
        "class Guest(WebSocketUser):\n"
        "    wait_time = constant(0.05)\n"
        "    @task\n"
        "    async def ask(self):\n"
        "        await self.round_trip('hello')\n"
    )
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust(
        *("-f", locustfile, "--headless", "--host", host, "-u", "4", "-r", "4", "-t", "3s"), limit_s=30
    )
    assert finished.returncode == 0
    assert "listener of Locust's events has not returned" in finished.stderr
    assert finished.count("message") > 100
    assert finished.summary["duration_s"] == pytest.approx(3, abs=1)
    # Only that one listener's own event is missing from what was left to hear.
    assert finished.rows["message"].requests > 50
