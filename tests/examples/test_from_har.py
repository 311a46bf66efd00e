"""``wsload from-har``: recordings of a real browser become locustfiles that run without an edit.

The stored recordings are remade by ``python -m support.recording``; the last test records anew.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.devtools import CHROMIUM
from support.locust_run import Finished
from support.recording import STORED, chat, record
from support.services import node
from support.undisturbed import undisturbed

from wsload.server.process import ServerProcess

USERS = 4
VISITS: dict[str, dict[str, int]] = {
    "chat": {"username": 1, "message": 2},
    "socketio": {"connect": 1, "order": 3},
    "socketio-upgraded": {"connect": 1, "order": 3},
    "jsonrpc": {"subscribe": 1, "getBook": 2, "placeOrder": 1},
    "graphql": {"connection_init": 1, "Look": 1, "book": 2, "arrival": 1},
}
"""How often each request is in one visit, as the browser was told to."""


def from_har(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wsload", "from-har", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
    )


@contextlib.contextmanager
def service(name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    if name == "chat":
        with ServerProcess() as server:
            yield server.url
        return
    with node(f"{name.partition('-')[0]}.js", request.getfixturevalue("node_modules")) as port:
        yield f"ws://127.0.0.1:{port}"


@pytest.mark.xdist_group("timing")
@pytest.mark.parametrize("name", VISITS)
def test_a_recording_is_repeated(
    name: str, run_locust: Callable[..., Finished], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    done = from_har(tmp_path, STORED / f"{name}.har", "-o", "locustfile.py")
    assert done.returncode == 0, done.stderr
    for what, number in VISITS[name].items():
        assert f"{what} ({number})" in done.stderr
    load = ["--headless", "--only-summary", "-u", str(USERS), "-r", str(USERS), "-t", "8s", "-s", "5"]
    with service(name, request) as url, undisturbed():
        finished = run_locust(
            "-f", "locustfile.py", *load, "--host", url, "--ws-check", "lost < 1", "--exit-code-on-error", "0",
            env={"WS_AUTHTOKEN": "of-today", "WS_COOKIE_SESSION": "of-today"},
        )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    visits = finished.counter("opens")
    assert visits >= 2 * USERS
    for what, number in VISITS[name].items():
        # What was under way at the end is missing.
        found = finished.count(what) + finished.count(f"{what}.failed")
        assert number * (visits - USERS) <= found <= number * visits, what
    assert set(finished.failures) <= {"placeOrder: error -32001"}, "of which the server refuses each tenth"
    assert finished.counter("duplicates") == finished.counter("late") == 0
    named = {metric for metric, kind in finished.summary["names"].items() if kind == "request"}
    assert named == set(VISITS[name])


def test_a_secret_is_asked_for(run_locust: Callable[..., Finished], tmp_path: Path) -> None:
    done = from_har(tmp_path, STORED / "graphql.har", "-o", "locustfile.py")
    assert "Set before the run: WS_AUTHTOKEN, WS_COOKIE_SESSION" in done.stderr
    assert (STORED / "graphql.har").read_text("utf-8").count("s3cr3t-") >= 2
    assert "s3cr3t" not in (tmp_path / "locustfile.py").read_text("utf-8")
    finished = run_locust("-f", "locustfile.py", "--headless", "-u", "1", "-t", "1s")
    assert finished.returncode != 0
    assert finished.stderr.splitlines()[-1].endswith(
        "locustfile: set WS_AUTHTOKEN, which replaces a secret in the recording"
    )


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("mine")
    done = from_har(tmp_path, STORED / "chat.har", "-o", "mine.py")
    assert done.returncode == 2
    assert done.stderr == "wsload: mine.py exists: nothing was written; name another file\n"
    assert (tmp_path / "mine.py").read_text() == "mine"


@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_recording_of_today_gives_the_same_locustfile(tmp_path: Path) -> None:
    with ServerProcess() as server:
        (tmp_path / "today.har").write_text(
            json.dumps(record(server.url.replace("ws", "http", 1), chat)), "utf-8"
        )
    today, stored = (from_har(tmp_path, path).stdout for path in ("today.har", STORED / "chat.har"))

    def steps(text: str) -> list[str]:
        text = re.sub(r"127\.0\.0\.1:\d+|sleep\(.*\)", "", text)  # ports and pauses differ
        return [line for line in text.splitlines() if re.search(r"self\.|case |=|dump", line)]

    assert steps(today) == steps(stored)
