"""One hostile server fails its own connection, by name, and harms nobody else's figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import hostile
from support.locust_run import LOCUSTFILES, Finished, LocustRun
from support.serving import Serving, TcpHandler
from support.undisturbed import undisturbed

from wsload.server.process import ServerProcess

HOSTILE: dict[str, tuple[TcpHandler, str]] = {
    "Fragments": (hostile.endless_fragments, "close: too many fragments"),
    "Bombs": (hostile.bombs, "close: compression bomb"),
    "Pings": (hostile.pings, "close: control frame flood"),
}


def chat(directory: Path, server: str, victims: dict[str, str]) -> Finished:
    """A run of the chat with a user for each of these servers beside it."""
    users = str(10 + len(victims))
    return LocustRun(
        *("-f", LOCUSTFILES / "victims.py", "--headless", "-u", users, "-r", users, "-t", "4s"),
        *("--host", server, "--ws-compression"),
        cwd=directory,
        env={"TEST_SERVERS": json.dumps(victims)},
    ).finish()


@pytest.mark.xdist_group("timing")
def test_hostile_servers_are_named_and_the_others_figures_stay(tmp_path: Path, serving: Serving) -> None:
    urls = {name: f"ws://127.0.0.1:{serving.tcp(handler)}/" for name, (handler, _) in HOSTILE.items()}
    for part in ("alone", "beside"):
        (tmp_path / part).mkdir()
    with undisturbed(), ServerProcess("--quiet-roster") as server:
        alone = chat(tmp_path / "alone", server.url, {})
        beside = chat(tmp_path / "beside", server.url, urls)
    kinds = {kind for _, kind in HOSTILE.values()}
    assert kinds <= beside.failures.keys()
    assert not any(what.startswith("message") for what in beside.failures)
    usual, found = (run.summary["metrics"]["message"]["p50_ns"] for run in (alone, beside))
    assert found <= usual * 1.1 + 1_000_000
    assert beside.count("message") >= 0.9 * alone.count("message")
    assert "Traceback" not in beside.stderr
