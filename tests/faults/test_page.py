"""Locust's page while a run ends, as its scripts see it: it goes on asking until the run has stopped."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import threading
from collections.abc import Callable

import pytest
import requests
from support.locust_run import ECHO, LocustRun
from support.serving import Serving
from support.waiting import until
from websockets.asyncio.server import ServerConnection

ASKS_ON = {"spawning", "running"}
"""Locust's page goes on asking in these states only."""


async def deaf(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


@pytest.mark.parametrize("base_path", ["", "/load"])
def test_the_page_is_told_of_the_end_only_when_it_is_one(
    start_locust: Callable[..., LocustRun], serving: Serving, base_path: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}{base_path}"
    host = f"ws://127.0.0.1:{serving.websocket(deaf)}"
    run = start_locust(
        *("-f", ECHO, "--host", host, "--ws-drain", "5s", "--web-base-path", base_path),
        *("--web-host", "127.0.0.1", "--web-port", str(port)),
    )

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{base}/", timeout=10).ok
        return False

    def state() -> str:
        return str(requests.get(f"{base}/stats/requests", timeout=10).json()["state"])

    until(answers)
    started = requests.post(f"{base}/swarm", data={"user_count": "3", "spawn_rate": "3"}, timeout=20)
    assert started.json()["success"], started.text
    run.wait_for_intervals(2)
    stop = threading.Thread(target=lambda: requests.post(f"{base}/stop", timeout=40))
    stop.start()
    seen, pages = set(), set()
    while stop.is_alive():
        seen.add(state())
        page = requests.get(f"{base}/", timeout=10).text
        pages.add(json.loads(re.search(r"window.templateArgs = (\{.*\})", page)[1])["state"])  # type: ignore[index]
        stop.join(0.2)
    assert seen <= ASKS_ON | {"stopped"} and seen & ASKS_ON
    assert pages <= ASKS_ON | {"stopped"} and pages & ASKS_ON
    until(lambda: state() == "stopped")
    run.signal(signal.SIGTERM)
    finished = run.finish()
    assert "Traceback" not in finished.stderr
