"""One user for each of many servers, side by side in one locust, and what each of them met."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.locust_run import FILES, LOCUSTFILES, Finished, LocustRun
from support.serving import Serving, WebSocketHandler

TIMES = ("--ws-open-timeout", "500ms", "--ws-message-timeout", "500ms", "--ws-drain", "200ms")
MAX_LINES = 150
"""So much Locust and wsload may say in a run of a few seconds, whatever goes wrong."""
ANYWHERE = {"message: no answer by the end", "message: not connected"}
"""Failures that any user may meet on the border of a reconnection or of the run."""


class Visits:
    """A run in which each server, given by name and URL, has one visitor; see ``visitors.py``."""

    def __init__(self, directory: Path, servers: Mapping[str, str], *arguments: str) -> None:
        users = str(len(servers))
        self.finished = LocustRun(
            *("-f", LOCUSTFILES / "visitors.py", "--headless", "-u", users, "-r", users),
            *(*TIMES, *arguments),
            cwd=directory,
            env={"TEST_SERVERS": json.dumps(servers)},
        ).finish()
        self.seen: Mapping[str, Mapping[str, int]] = json.loads((directory / "seen.json").read_bytes())
        """By server: what its visitor met, how often."""

    @classmethod
    def of_chats(cls, directory: Path, handlers: Mapping[str, WebSocketHandler], *arguments: str) -> Visits:
        """The same, with a server for each of these handlers."""
        with Serving() as serving:
            servers = {
                name: f"ws://127.0.0.1:{serving.websocket(handler, subprotocols=['json'])}/"
                for name, handler in handlers.items()
            }
            return cls(directory, servers, *arguments)


def assert_sound(finished: Finished, expected: Iterable[str]) -> None:
    """The run ended as it should: whole, quiet, at one with Locust's table, and with these failures only."""
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.stderr.count("\n") < MAX_LINES, finished.stderr
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert finished.run["ended_at"] is not None
    code = 1 if "message" in finished.summary["metrics"] else 5  # nothing was measured
    assert finished.returncode == code, (finished.returncode, finished.stdout[:300])
    assert finished.errors == finished.failures
    unexpected = finished.failures.keys() - {*expected, *ANYWHERE}
    assert not unexpected, unexpected
    assert set(expected) <= finished.failures.keys(), finished.failures
