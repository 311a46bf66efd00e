"""The README is short, and says what is: its example runs and its links lead somewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.documents import marked
from support.locust_run import ROOT, Finished
from support.serving import Serving, echo

README = ROOT / "README.md"
MAX_LINES = 200


def test_it_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= MAX_LINES


def test_the_example_is_a_locustfile_that_runs(
    run_locust: Callable[..., Finished], tmp_path: Path, serving: Serving
) -> None:
    (example,) = marked(README, "python", "tested")
    (tmp_path / "example.py").write_text(example, "utf-8")
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    load = ["--headless", "--only-summary", "-u", "4", "-r", "4", "-t", "4s", "--ws-allow-invalid"]
    finished = run_locust("-f", "example.py", "--host", host, *load)
    assert finished.returncode == 0, finished.stderr
    assert finished.count("getBook") > 0
    assert finished.failures == {}
