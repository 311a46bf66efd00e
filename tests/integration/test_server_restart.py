"""The server goes away in mid-run and comes back: users reconnect, and nothing is forgotten."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support.locust_run import CHAT, Finished, LocustRun
from support.waiting import until

from wsload.server.process import ServerProcess

USERS = 20
OPTIONS = ("-f", CHAT, "--headless", "-u", str(USERS), "-r", str(USERS))


def seconds(directory: Path) -> list[dict[str, Any]]:
    """The whole lines of the run's counters by now."""
    data = (directory / "counters.jsonl").read_bytes()
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def counted(directory: Path, group: str, name: str) -> int:
    """How often something was counted by now."""
    return sum((Counter(second[group]) for second in seconds(directory)), Counter())[name]


def assert_all_came_back(finished: Finished, *closes: str) -> None:
    """Every user was dropped once, came back, and every post sent was answered or counted lost."""
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.run["ended_at"] is not None
    assert finished.errors == finished.failures
    assert sum(finished.failures.get(f"close: {kind}", 0) for kind in closes) == USERS
    assert finished.counter("reconnects") == USERS
    assert finished.counter("opens") == finished.counter("logins") == 2 * USERS
    assert finished.counter("users_ended") == 0
    assert finished.summary["peaks"]["connections"] == USERS
    posts = finished.counter("sent") - finished.counter("logins")
    assert posts == finished.count("message") + finished.counter("lost")
    assert finished.counter("lost") == finished.count("message.lost")
    # What was due meanwhile and could not be sent is counted too.
    assert finished.counter("unsent") == finished.failures.get("message: not connected", 0)


def test_a_server_that_is_killed_and_started_again(start_locust: Callable[..., LocustRun]) -> None:
    # Answers take their time, so that some are owed when the server dies.
    first = ServerProcess("--quiet-roster", "--fault", "delay=500ms")
    try:
        run = start_locust(*OPTIONS, "--host", first.url)
        directory = run.wait_for_intervals(3)
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: counted(directory, "failures", "open: refused") >= USERS, what="refused openings")
    finally:
        first.stop()
    port = str(urlsplit(first.url).port)
    with ServerProcess("--quiet-roster", "--port", port) as second:
        assert second.url == first.url
        until(lambda: counted(directory, "counters", "reconnects") == USERS, what="all users back")
        answered = counted(directory, "counters", "sent")
        until(lambda: counted(directory, "counters", "sent") > answered + USERS, what="more posts")
        run.signal(signal.SIGINT)
        finished = run.finish()
        second.stop()
        # The kernel resets a connection on which something was still unread.
        assert_all_came_back(finished, "closed 1006", "reset")
    assert finished.failures["message: closed 1006"] == finished.counter("lost") > 0
    assert second.account is not None
    assert second.account["logins"] == USERS
    assert second.account["posts"] == second.account["echoed"] < finished.count("message")


def test_a_server_that_drops_everybody(start_locust: Callable[..., LocustRun]) -> None:
    with ServerProcess("--quiet-roster", "--fault", "close=1012@8s") as server:
        run = start_locust(*OPTIONS, "--host", server.url)
        directory = run.wait_for_intervals(1)
        until(lambda: counted(directory, "counters", "reconnects") == USERS, what="all users back")
        run.signal(signal.SIGTERM)
        finished = run.finish()
        server.stop()
    assert_all_came_back(finished, "closed 1012")
    assert finished.summary["closes"] == {"1000": USERS, "1012": USERS}
    assert server.account is not None
    assert finished.count("message") + finished.counter("lost") >= server.account["posts"]


def test_without_reconnecting_users_end_by_the_count(start_locust: Callable[..., LocustRun]) -> None:
    with ServerProcess("--quiet-roster", "--fault", "close=1006@8s") as server:
        run = start_locust(*OPTIONS, "--host", server.url, "--no-ws-reconnect")
        directory = run.wait_for_intervals(1)
        until(lambda: counted(directory, "counters", "users_ended") == USERS, what="all users gone")
        run.signal(signal.SIGINT)
        finished = run.finish()
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.failures["close: closed 1006"] == USERS
    assert finished.counter("opens") == USERS
    assert finished.counter("reconnects") == 0
    assert finished.run["ended_at"] is not None
