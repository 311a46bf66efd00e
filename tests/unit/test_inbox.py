"""Messages that answer no request: each is given once, with its own stamp, and belongs to its connection."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from locust import constant, task
from websockets.asyncio.server import ServerConnection
from world import World

from wsload import ConnectionLost, MessageTimeout, WebSocketUser


def live(w: World, body: Callable[[Any], Awaitable[None]]) -> None:
    """Lives a user that does this once."""

    class User(WebSocketUser):
        wait_time = constant(0)

        @task
        async def talk(self) -> None:
            try:
                await body(self)
            finally:
                self._life.stop()

    w.live(User)


async def spaced(connection: ServerConnection) -> None:
    """Answers the first message, then pushes three, 20 ms apart."""
    await connection.send(await connection.recv())
    for number in range(3):
        await asyncio.sleep(0.02)
        await connection.send(str(number))
    await connection.wait_closed()


@pytest.mark.parametrize("on", ["the first", "a further one"])
def test_each_message_of_an_iteration_has_its_own_stamp(w: World, on: str) -> None:
    w.serve(spaced)

    async def body(user: Any) -> None:
        source = user if on == "the first" else await user.open("/")
        await source.round_trip("subscribe")
        stamps = [source.received_at]
        await asyncio.sleep(0.08)  # all are there: the times of reading don't tell them apart
        async for message in source.messages():
            stamps.append(source.received_at)
            if message == "2":
                break
        assert min(after - before for before, after in itertools.pairwise(stamps)) >= 0.015

    live(w, body)


def numbered(w: World) -> Callable[[ServerConnection], Awaitable[None]]:
    """The n-th connection pushes ``n: 0`` to ``n: 2``, and is dropped when it is told to."""

    async def handle(connection: ServerConnection) -> None:
        number = w.opened
        for each in range(3):
            await connection.send(f"{number}: {each}")
        await connection.recv()
        connection.transport.abort()

    return handle


async def reopen(w: World, user: Any) -> None:
    """Has the connection dropped, and waits for the next one and its messages."""
    pushes, opened = w.counter("pushes"), w.opened
    await user.send("drop")
    await w.until(lambda: w.opened > opened and w.counter("pushes") == pushes + 3)


def test_an_iteration_ends_with_its_connection_though_another_was_opened_meanwhile(w: World) -> None:
    w.serve(numbered(w))

    async def body(user: Any) -> None:
        found = []
        async for message in user.messages():
            found.append(message)
            if len(found) == 1:
                await w.until(lambda: w.counter("pushes") == 3)
                await reopen(w, user)
        assert found == ["1: 0", "1: 1", "1: 2"]
        found = [await user.receive() for _ in range(3)]
        assert found == ["2: 0", "2: 1", "2: 2"]

    live(w, body)
    assert w.counter("unread") == 0


def test_an_iteration_that_waits_goes_on_to_no_other_connection(w: World) -> None:
    w.serve(numbered(w))

    async def body(user: Any) -> None:
        found = []
        async for message in user.messages():
            found.append(message)
            if len(found) == 3:
                dropping = asyncio.create_task(reopen(w, user))
        await dropping
        assert found == ["1: 0", "1: 1", "1: 2"]

    live(w, body)


@pytest.mark.parametrize("how", ["not read", "left", "ended"])
def test_what_is_left_of_a_connection_is_unread(w: World, how: str) -> None:
    w.serve(numbered(w))

    async def body(user: Any) -> None:
        await w.until(lambda: w.counter("pushes") == 3)
        iteration = user.messages()
        if how != "not read":
            assert await anext(iteration) == "1: 0"
        if how == "left":
            await iteration.aclose()
        await reopen(w, user)
        if how == "ended":
            await iteration.aclose()
        assert w.counter("unread") == (3 if how == "not read" else 2)
        assert [await user.receive() for _ in range(3)] == ["2: 0", "2: 1", "2: 2"]

    live(w, body)


def test_a_message_that_came_in_time_is_received_though_the_loop_reads_it_late(w: World) -> None:
    servers: list[ServerConnection] = []

    async def handle(connection: ServerConnection) -> None:
        servers.append(connection)
        await connection.wait_closed()

    w.serve(handle)

    async def body(user: Any) -> None:
        await w.until(lambda: servers)
        receiving = asyncio.ensure_future(user.receive(timeout=0.04))
        await asyncio.sleep(0)
        w.engine.timers.at(
            time.monotonic_ns() + 1_000_000, lambda: None
        )  # another user's: it wakes the queue first
        time.sleep(0.02)  # noqa: ASYNC251
        await servers[0].send("in time")
        time.sleep(0.04)  # noqa: ASYNC251
        assert await receiving == "in time"

    live(w, body)
    assert w.failures() == {}


async def by_receive(user: Any) -> str:
    return str(await user.receive())


async def by_iteration(user: Any) -> str:
    return str(await anext(user.messages()))


@pytest.mark.parametrize("waits", [by_receive, by_iteration])
def test_a_message_that_another_task_takes_first_leaves_the_waiting_one_to_wait(
    w: World, waits: Callable[[Any], Awaitable[str]]
) -> None:
    w.serve()

    async def body(user: Any) -> None:
        waiting = asyncio.ensure_future(waits(user))
        await asyncio.sleep(0)
        user._socket.inbox.put("0", 0, 1)  # the one that waits is told, and runs in the next turn
        assert await user.receive() == "0"
        await asyncio.sleep(0)
        assert not waiting.done()
        user._socket.inbox.put("1", 0, 1)
        assert await waiting == "1"

    live(w, body)
    assert w.failures() == {}


@pytest.mark.parametrize("then", ["times out", "is lost"])
def test_a_wait_whose_message_another_task_took_ends_like_any_other(w: World, then: str) -> None:
    w.serve()

    async def body(user: Any) -> None:
        waiting = asyncio.ensure_future(user.receive(timeout=0.05 if then == "times out" else 100))
        began = time.monotonic()
        while time.monotonic() - began < 0.04:
            await asyncio.sleep(0.01)
            user._socket.inbox.put("taken", 0, 1)
            assert await user.receive() == "taken"
        if then == "is lost":
            user._socket.abort()
        with pytest.raises(MessageTimeout if then == "times out" else ConnectionLost):
            await waiting
        assert time.monotonic() - began < 1

    live(w, body)
    assert w.failures() == {"receive: timeout" if then == "times out" else "receive: aborted": 1}
