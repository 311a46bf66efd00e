"""Whose answer is it? With greetings, pushes and hooks the figures are true, or the run is marked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import Finished
from support.serving import Serving
from support.undisturbed import undisturbed
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.xdist_group("timing")

HEAD = """
import itertools, json, time
from locust import constant
from wsload import WebSocketUser, task

class Guest(WebSocketUser):
    numbers = itertools.count(1)
"""
NOT_TRUSTED = 3

Run = Callable[..., Finished]


@pytest.fixture
def run(run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path) -> Run:
    """Runs what continues `HEAD` with five users against this handler, with exit codes as people get them."""

    def run(text: str, handler: Callable[..., object], *options: str) -> Finished:
        path = tmp_path / "locustfile.py"
        path.write_text(HEAD + text)
        host = f"ws://127.0.0.1:{serving.websocket(handler, max_size=None)}"
        with undisturbed():
            return run_locust(
                *("-f", path, "--headless", "-u", "5", "-r", "5", "--host", host, *options),
                env={"LOCUST_WS_ALLOW_INVALID": "false"},
            )

    return run


def p50_ms(finished: Finished, name: str = "message") -> float:
    return finished.summary["metrics"][name]["p50_ns"] / 1e6


def greeter(greeting_after_s: float, answer_after_s: float) -> Callable[[ServerConnection], object]:
    async def handle(connection: ServerConnection) -> None:
        await asyncio.sleep(greeting_after_s)
        await connection.send("welcome")
        async for message in connection:
            await asyncio.sleep(answer_after_s)
            await connection.send(message)

    return handle


@pytest.mark.parametrize("greeting_after_s", [0, 0.05, 0.4])
@pytest.mark.parametrize("wait", ["constant(0.3)", "constant(0.06)"])
def test_a_greeting_is_no_answer(run: Run, wait: str, greeting_after_s: float) -> None:
    finished = run(
        f"""
    wait_time = {wait}

    @task
    async def ask(self):
        await self.round_trip("x" * 100)
""",
        greeter(greeting_after_s, 0.1),
        *("-t", "4s", "--ws-check", "message.p95 < 60ms"),
    )
    assert finished.returncode != 0, "the check can't pass on a server that takes 100 ms"
    if finished.returncode != NOT_TRUSTED:
        assert 100 <= p50_ms(finished) < 112
        assert finished.failures == {}


async def exchange(connection: ServerConnection) -> None:
    """Answers by id after 50 ms, and pushes a price every 20 ms."""

    async def answer(number: int) -> None:
        await asyncio.sleep(0.05)
        await connection.send(json.dumps({"id": number, "result": "ok"}))

    async def push() -> None:
        while True:
            await asyncio.sleep(0.02)
            broadcast([connection], '{"push": "price"}')

    async with asyncio.TaskGroup() as tasks:
        pushing = tasks.create_task(push())
        try:
            async for message in connection:
                tasks.create_task(answer(json.loads(message)["id"]))
        except ConnectionClosed:
            pass
        pushing.cancel()


MATCHED = {
    "request": (
        "order",
        """
    def key_of(self, message):
        return json.loads(message).get("id")

    @task
    async def order(self):
        n = next(self.numbers)
        reply = await self.request(json.dumps({"id": n}), key=n, name="order")
        assert json.loads(reply)["id"] == n
""",
    ),
    "round_trip with match": (
        "message",
        """
    @task
    async def order(self):
        n = next(self.numbers)
        reply = await self.round_trip(json.dumps({"id": n}), match=lambda message: "push" not in message)
        assert json.loads(reply)["id"] == n
""",
    ),
    "by hand": (
        "order",
        """
    @task
    async def order(self):
        n = next(self.numbers)
        began = time.monotonic()
        await self.send(json.dumps({"id": n}))
        while json.loads(await self.receive()).get("id") != n:
            pass
        self.record("order", seconds=time.monotonic() - began)
""",
    ),
    "events.request": (
        "order",
        """
    @task
    async def order(self):
        n = next(self.numbers)
        began = time.monotonic()
        await self.send(json.dumps({"id": n}))
        while json.loads(await self.receive()).get("id") != n:
            pass
        self.environment.events.request.fire(
            request_type="WSR", name="order", response_time=(time.monotonic() - began) * 1e3,
            response_length=0, exception=None, context={},
        )
""",
    ),
}


@pytest.mark.parametrize(("name", "text"), MATCHED.values(), ids=MATCHED)
def test_requests_beside_pushes_are_true(run: Run, name: str, text: str) -> None:
    head = "    wait_time = constant(0.2)\n"
    finished = run(head + text, exchange, "-t", "4s", "--ws-check", f"{name}.p50 > 40ms")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert 50 <= p50_ms(finished, name) < 60
    assert finished.count(name) > 60
    assert finished.failures == {}
    assert finished.rows[name].requests == finished.count(name), finished.stderr


def test_an_unmatched_round_trip_beside_pushes_is_marked(run: Run) -> None:
    finished = run(
        """
    wait_time = constant(0.2)

    @task
    async def order(self):
        n = next(self.numbers)
        reply = json.loads(await self.round_trip(json.dumps({"id": n}), name="order"))
        while reply.get("id") != n:
            reply = json.loads(await self.receive())
""",
        exchange,
        *("-t", "4s", "--ws-check", "order.p50 < 40ms"),
    )
    assert finished.returncode == NOT_TRUSTED
    assert "order" in " ".join(warning["text"] for warning in finished.run["warnings"])


def test_a_hook_and_round_trips_in_one_class(run: Run) -> None:
    finished = run(
        """
    wait_time = constant(0.2)

    def on_message(self, message):
        self.last = message

    @task
    async def ask(self):
        await self.round_trip("hello")
""",
        greeter(0, 0.01),
        *("-t", "3s", "--ws-message-timeout", "1s"),
    )
    if finished.directories:
        assert finished.counter("timeouts") == 0, "a healthy server, and every message timed out"
        assert finished.count("message") > 30
    else:
        assert "on_message" in finished.stderr, "refused in words that say why"


def test_time_grows_with_the_size_of_a_message_not_with_its_square(run: Run) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    finished = run(
        """
    wait_time = constant(0.05)
    fixed_count = 1

    @task
    async def small(self):
        assert len(await self.round_trip(b"x" * (8 << 20), name="small")) == 8 << 20

    @task
    async def large(self):
        assert len(await self.round_trip(b"x" * (64 << 20), name="large")) == 64 << 20
""",
        echo,
        *("-t", "8s", "--ws-max-message", "1GiB"),
    )
    assert finished.failures == {}
    assert finished.count("large") >= 2
    assert p50_ms(finished, "large") < 5 * 8 * p50_ms(finished, "small"), "its square would be 64 times"
