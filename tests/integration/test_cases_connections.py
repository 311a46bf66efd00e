"""A user class that opens connections by its own hand: what is opened again, twice, or not at all."""

from __future__ import annotations

import asyncio
import http
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.locust_run import Finished, LocustRun
from support.services import free_ports
from support.serving import HOST, Serving
from websockets.asyncio.server import ServerConnection, serve

HEAD = """
import asyncio, itertools
from locust import constant
from wsload import Opening, WebSocketUser, task
from wsload.errors import WorkloadError

class Guest(WebSocketUser):
    wait_time = constant(0.2)
    tokens = itertools.count(1)

    @task
    async def ask(self):
        await self.round_trip("hello")
"""


class Doorkeeper:
    """Lets in who shows a token in the query, drops each after a while, and remembers who is there."""

    def __init__(self, *, drops_after_s: float | None = None) -> None:
        self.asked: Counter[str] = Counter()
        self.refused = 0
        self.inside = self.most_inside = 0
        self._drops_after_s = drops_after_s

    def check(self, connection: ServerConnection, request: Any) -> Any:
        self.asked[request.path] += 1
        if "token=" not in request.path:
            self.refused += 1
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "no token\n")
        return None

    async def handle(self, connection: ServerConnection) -> None:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        if self._drops_after_s is not None:
            asyncio.get_running_loop().call_later(self._drops_after_s, self._drop, connection)
        try:
            async for message in connection:
                await connection.send(message)
        finally:
            self.inside -= 1

    def _drop(self, connection: ServerConnection) -> None:
        asyncio.ensure_future(connection.close(1012, "restart"))  # noqa: RUF006 the connection holds it


Run = Callable[..., Finished]


@pytest.fixture
def run(run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path) -> Run:
    """Runs what continues `HEAD` with three users against this doorkeeper."""

    def run(text: str, door: Doorkeeper, *options: str) -> Finished:
        path = tmp_path / "locustfile.py"
        path.write_text(HEAD + text)
        host = f"ws://{HOST}:{serving.websocket(door.handle, process_request=door.check)}"
        return run_locust("-f", path, "--headless", "-u", "3", "-r", "3", "--host", host, *options)

    return run


WAYS_IN = {
    "connect in on_start": """
    auto_connect = False

    async def on_start(self):
        await self.connect(f"/feed?token=t{next(self.tokens)}")
""",
    "on_opening": """
    async def on_start(self):
        pass

    async def on_opening(self):
        if not hasattr(self, "token"):
            self.token = next(self.tokens)
        return Opening(url="/feed", query={"token": f"t{self.token}"})
""",
    "connect in a task": """
    auto_connect = False

    @task(100)
    async def come_in(self):
        if not hasattr(self, "token"):
            self.token = next(self.tokens)
            await self.connect(f"/feed?token=t{self.token}")
        await self.round_trip("again")
""",
}


@pytest.mark.parametrize("way", WAYS_IN.values(), ids=WAYS_IN)
def test_a_reconnection_opens_what_was_opened(run: Run, way: str) -> None:
    door = Doorkeeper(drops_after_s=1)
    finished = run(way, door, "-t", "5s")
    assert door.refused == 0, door.asked
    assert set(door.asked) == {f"/feed?token=t{number}" for number in (1, 2, 3)}
    assert all(opened >= 3 for opened in door.asked.values()), door.asked
    assert finished.counter("reconnects") >= 6
    assert finished.failures.keys() <= {
        "close: closed 1012",
        "message: closed 1012",
        "message: not connected",
    }
    assert door.most_inside <= 3


TWICE = {
    "in on_start": '    async def on_start(self):\n        await self.connect("/again?token=2")\n',
    "in a task": '    @task\n    async def again(self):\n        await self.connect("/again?token=2")\n',
    "while reconnecting": """
    def on_close(self, code, reason):
        self.keeper = asyncio.ensure_future(self.again())

    async def again(self):
        try:
            await self.connect("/again?token=2")
        except WorkloadError:
            pass
""",
}


@pytest.mark.parametrize("twice", TWICE.values(), ids=TWICE)
def test_a_second_connect_never_leaks_the_first(run: Run, twice: str) -> None:
    door = Doorkeeper(drops_after_s=1 if "on_close" in twice else None)
    finished = run('    url = "/first?token=1"\n' + twice, door, "-t", "4s")
    assert door.most_inside <= 3, "never more than one connection a user"
    assert door.inside == 0, "and none is left behind"
    assert door.asked.total() - 3 <= finished.counter("opens") <= door.asked.total(), (
        "but what the end cut off"
    )
    assert finished.summary["peaks"].get("connections", 0) <= 3
    if not finished.count("message"):  # refused: then in words that say what to do
        assert "connected already" in finished.stderr + finished.stdout


def test_a_first_connect_that_fails_is_not_the_end_unnoticed(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> None:
    """A server that comes late: either its users wait for it, or they end and it is said."""
    path = tmp_path / "locustfile.py"
    path.write_text(
        HEAD
        + """
    auto_connect = False

    async def on_start(self):
        await self.connect("/?token=1")
"""
    )
    (port,) = free_ports(1)
    door = Doorkeeper()
    run = start_locust(
        "-f", path, "--headless", "-u", "3", "-r", "3", "-t", "8s", "--host", f"ws://{HOST}:{port}"
    )
    run.wait_for_intervals(3)
    serving.run(_listen(door, port, serving))
    finished = run.finish()
    assert finished.failures["open: refused"] >= 3
    ended, answered = finished.counter("users_ended"), finished.count("message")
    assert ended == 3 or (answered > 10 and door.most_inside == 3), finished.failures
    # Living on without a connection, and with nothing but failures, is neither.
    assert finished.failures.get("message: not connected", 0) < 100


async def _listen(door: Doorkeeper, port: int, serving: Serving) -> None:
    await serving._stack.enter_async_context(serve(door.handle, HOST, port, process_request=door.check))


FAILS = {
    "an exception": "raise RuntimeError('no luck')",
    "an assertion": "assert False, 'no luck'",
    "a failed request": "await self.round_trip('x', timeout=0.000001)",
}


@pytest.mark.parametrize("failure", FAILS.values(), ids=FAILS)
def test_a_failure_in_on_connect_while_reconnecting_leaves_nobody_idle(run: Run, failure: str) -> None:
    door = Doorkeeper(drops_after_s=1)
    finished = run(
        f"""
    url = "/?token=1"
    openings = 0

    async def on_connect(self):
        self.openings += 1
        if self.openings == 2:
            {failure}
""",
        door,
        "-t",
        "6s",
    )
    ended = finished.counter("users_ended")
    assert ended == 3 or finished.counter("reconnects") >= 6, finished.summary["counters"]
    assert finished.returncode == 1
    assert sum(finished.failures.values()) >= 3
