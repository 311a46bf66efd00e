"""Every locustfile in the documentation runs as it stands, with every task begun and nothing raised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.documents import PAGES as DOCUMENTS
from support.documents import marked
from support.locust_run import Finished
from support.serving import Serving, echo

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
