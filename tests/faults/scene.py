"""What a row of the fault table has: servers that keep an account, users, and what must hold whatever happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.locust_run import FILES, Finished, LocustRun
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

SECRET = "5ecret-of-the-tests-0123456789"
"""Every run of these tests sends it as its bearer token."""
MAX_LINES = 200
"""So much a run may say, whatever happens to it."""

USERS = """
import asyncio
from locust import constant, task
from wsload import ChatUser, WebSocketUser, WorkloadError, constant_rate

class Guest(WebSocketUser):
    wait_time = constant(0.05)

    @task
    async def ask(self):
        await self.round_trip("hello")
"""
"""A locustfile; what is appended to it goes on with the class."""


class Account:
    """An echo server's own count of what it received."""

    def __init__(self) -> None:
        self.received = 0
        self.headers: list[str] = []

    async def echo(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.headers += [name.lower() for name, _ in connection.request.headers.raw_items()]
        try:
            async for message in connection:
                self.received += 1
                if message == "drop":
                    connection.transport.abort()
                await connection.send(message)
        except ConnectionClosed:
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A fault of the table that a run of its own shows."""

    fault: str
    made: Sequence[str]
    """Options of locust: ``{server}`` stands for the port of an echo server."""
    user: str = ""
    """What goes on with `USERS`."""
    seen: Sequence[str] = ()
    """Failures that the run may have, ``what: kind``; no others."""
    sure: bool = False
    """Whether it has all of these."""
    told: str = ""
    """What its users print."""
    said: str = ""
    """What is said on stderr."""
    code: int = 0
    """The exit code, where it is not 1 for failures and 0 without any."""
    within_s: float = 45.0
    meddle: Callable[[LocustRun], object] = field(default=lambda _: None)
    """What happens to the process meanwhile."""


def assert_sound(finished: Finished, *, code: int, results: Sequence[Path] | None = None) -> None:
    """What holds whatever happened: the verdict's exit code, results, few words, no traceback, and no secret.

    ``results`` are the runs' directories, where they are not in the usual place.
    """
    assert finished.returncode == code, (finished.returncode, finished.stdout, finished.stderr)
    assert finished.stderr.count("\n") < MAX_LINES, finished.stderr
    for said in (finished.stdout, finished.stderr):
        assert "Traceback" not in said, said
        assert SECRET not in said
    directories = finished.directories if results is None else results
    assert directories
    for directory in directories:
        assert_no_secret(directory)
        assert {path.name for path in directory.iterdir()} >= set(FILES)
        assert json.loads((directory / "run.json").read_bytes())["ended_at"]


def assert_no_secret(directory: Path) -> None:
    for path in directory.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path
