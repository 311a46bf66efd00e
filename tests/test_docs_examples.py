"""Every locustfile in the documentation runs as it stands, with every task begun and nothing raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.documents import DOCS, marked
from support.documents import PAGES as DOCUMENTS
from support.locust_run import Finished
from support.serving import Serving, echo
from websockets.asyncio.server import ServerConnection, broadcast

PAGES = [
    (page.name, number, text)
    for page in DOCUMENTS
    for number, text in enumerate(marked(page, "python", "locustfile"), start=1)
]


def token(connection: Any, request: Any) -> Any:
    """What a GET of ``/token`` gets; everything else is upgraded."""
    return connection.respond(200, '{"token": "abc"}') if request.path == "/token" else None


def test_there_are_examples() -> None:
    assert len(PAGES) >= 8


@pytest.mark.parametrize(
    ("page", "number", "text"), PAGES, ids=[f"{page}-{number}" for page, number, _ in PAGES]
)
def test_a_locustfile_of_the_documentation_runs(
    page: str, number: int, text: str, run_locust: Callable[..., Finished], tmp_path: Path, serving: Serving
) -> None:
    (tmp_path / "example.py").write_text(text, "utf-8")
    port = serving.websocket(
        echo,
        select_subprotocol=lambda _, offered: offered[0] if offered else None,
        process_request=token,
    )
    load = ["--headless", "--only-summary", "-u", "2", "-r", "2", "-t", "2s", "--ws-allow-invalid"]
    finished = run_locust("-f", "example.py", "--host", f"ws://127.0.0.1:{port}", *load)
    assert finished.returncode == 0, finished.stderr
    assert finished.counter("opens") >= 2 and finished.counter("sent") >= 1
    assert finished.failures == {}
    assert "Traceback" not in finished.stderr


def test_the_fan_out_is_timed_and_its_gaps_are_counted(
    run_locust: Callable[..., Finished], tmp_path: Path, serving: Serving
) -> None:
    (example,) = marked(DOCS / "service" / "fan-out.md", "python", "locustfile")
    (tmp_path / "example.py").write_text(example, "utf-8")
    subscribers: set[ServerConnection] = set()

    async def newsroom(connection: ServerConnection) -> None:
        """Leaves out every fifth message."""
        try:
            async for message in connection:
                if "subscribe" in str(message):
                    subscribers.add(connection)
                elif json.loads(message)["number"] % 5:
                    broadcast(subscribers, message)
        finally:
            subscribers.discard(connection)

    host = f"ws://127.0.0.1:{serving.websocket(newsroom)}"
    load = ["--headless", "--only-summary", "-u", "4", "-r", "4", "-t", "4s", "--ws-allow-invalid"]
    finished = run_locust("-f", "example.py", "--host", host, *load, "--ws-check", "gaps < 1")
    assert finished.returncode == 1, finished.stderr
    assert finished.failures == {}
    assert finished.counter("opens") == 4
    news, gaps = finished.count("news"), finished.counter("gaps")
    assert news > 40
    assert 0.15 < gaps / news < 0.3
    assert finished.summary["metrics"]["news"]["max_ns"] < 4e9
