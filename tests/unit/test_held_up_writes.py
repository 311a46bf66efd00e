"""What is sent late, after the clock was read for it, is known to be: whatever sends it, and whoever receives it.

The process is held up at the worst place, between the stamp of a sending and the system's call that sends. That is
where a stopped process, or one that lost its core, makes a server look slow without being late in anything that a
heartbeat sees.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from locust import constant, task
from pair import Pair, on_loop
from websockets.asyncio.server import ServerConnection
from world import World

from wsload import ChatUser, WebSocketUser
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.writing import Writer
from wsload.measure.names import LAGGED, UNLAGGED
from wsload.server.process import ServerProcess

HELD_NS = 200_000_000
"""For so long a write is held up; no server here takes half of it."""


def hold_up(monkeypatch: pytest.MonkeyPatch, what: type, method: str, *, at: int) -> None:
    """Holds up this call of the method, counted from 1."""
    calls, original = iter(range(1, 1_000_000)), getattr(what, method)

    def held_up(self: Any, *given: Any, **named: Any) -> None:
        if next(calls) == at:
            time.sleep(HELD_NS / 1e9)
        original(self, *given, **named)

    monkeypatch.setattr(what, method, held_up)


async def slow_echo(connection: ServerConnection) -> None:
    """Answers so late that the loop has long been in time again."""
    async for message in connection:
        await asyncio.sleep(0.05)
        await connection.send(message)


def assert_known(w: World, *metrics: str) -> None:
    """The longest value of each metric is in it, and is known to be the load generator's own doing."""
    assert w.reported == []
    found = w.record().histograms
    for metric in metrics:
        assert found[metric].max_ns >= HELD_NS, metric
        assert found[metric + LAGGED].max_ns >= HELD_NS, metric
        assert found[metric + UNLAGGED].min_ns < HELD_NS / 2, metric


@pytest.mark.parametrize("key", ["a key", None])
@pytest.mark.parametrize("refused", [False, True])
def test_a_request(w: World, monkeypatch: pytest.MonkeyPatch, key: str | None, refused: bool) -> None:
    w.serve(slow_echo)
    hold_up(monkeypatch, TimedConnection, "send_now", at=3)

    class User(WebSocketUser):
        wait_time = constant(0)

        if key:

            def key_of(self, message: Any) -> Any:
                return key

        @task
        async def only(self) -> None:
            check = (lambda message: "no") if refused else None
            try:
                for _ in range(5):
                    if key:
                        await self.request("hello", key=key, name="buy", check=check)
                    else:
                        await self.round_trip("hello", name="buy", check=check)
            finally:
                self._life.stop()

    w.live(User)
    assert_known(w, *(["buy.failed"] if refused else ["buy", "buy.service"]))


@pytest.mark.parametrize(
    ("at", "metrics"), [(1, ("login",)), (4, ("message", "message.service", "delivery"))]
)
def test_a_chats_login_and_posts_and_their_deliveries(
    w: World, monkeypatch: pytest.MonkeyPatch, at: int, metrics: tuple[str, ...]
) -> None:
    hold_up(monkeypatch, TimedConnection, "send_now", at=at)
    here: list[ChatUser] = []

    class User(ChatUser):
        wait_time = constant(0)

        @task
        async def only(self) -> None:
            here.append(self)
            await w.until(lambda: len(here) >= 2)
            try:
                for _ in range(3 if self is here[0] else 0):
                    await self.say("hello")
                here.append(self)
                await w.until(lambda: len(here) == 4)
            finally:
                self._life.stop()

    with ServerProcess("--fault", "delay=50ms") as server:
        w.port = urlsplit(server.url).port or 0
        w.live(User, type("Other", (User,), {}))
    assert_known(w, *metrics)


def test_a_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        pair = Pair.open()
        hold_up(monkeypatch, Writer, "write", at=1)
        before_ns = time.monotonic_ns()
        pair.client.ping_now()
        dated_ns = int.from_bytes(pair.heard()[0].data, "big")
        assert dated_ns < before_ns + HELD_NS / 2
        assert pair.recorder.lateness.writing(dated_ns) >= HELD_NS

    on_loop(body)
