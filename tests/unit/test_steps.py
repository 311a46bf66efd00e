"""Steps of `measure`: their time is that of the user class, without wsload's own waits, and is only trusted if true."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from locust import constant, task
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from world import World, echo

from wsload import UsageError, WebSocketUser, WorkloadError
from wsload.judge.run.trust import doubt_of, trusted
from wsload.load.users.matching.findings import Doubt
from wsload.load.users.sockets import tally
from wsload.load.users.sockets.requests import LONG_LOOK_NS
from wsload.measure.names import LAGGED, UNLAGGED

MS = 1_000_000


def live(w: World, body: Callable[[Any], Awaitable[None]]) -> None:
    """Lives a user that does this once, without a connection of its own."""

    class User(WebSocketUser):
        wait_time = constant(0)
        auto_connect = False

        @task
        async def talk(self) -> None:
            try:
                await body(self)
            finally:
                self._life.stop()

    w.live(User)


async def visit(user: Any) -> None:
    """Opens, asks and closes: wsload lingers before the close, in case an answer too many comes."""
    async with user.open("/") as connection:
        await connection.round_trip("hello")


def test_a_step_that_the_loop_held_up_is_marked_however_long_it_lingered_before(w: World) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        await visit(user)
        with user.measure("held up"):
            await visit(user)
            time.sleep(0.05)  # noqa: ASYNC251  # as a blocking user class does
            await asyncio.sleep(0)

    live(w, body)
    assert w.count("held up") == w.count("held up" + LAGGED) == 1
    found = w.totals.histograms
    assert found["held up"].min_ns - found["held up" + UNLAGGED].min_ns > 45 * MS


def test_a_step_that_is_used_again_has_not_failed_again(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        step = user.measure("buy")
        with step:
            step.failed("sold out")
        with step:
            await asyncio.sleep(0)

    live(w, body)
    assert w.count("buy") == w.count("buy.failed") == 1 and w.failures() == {"buy: sold out": 1}


async def in_a_group(user: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(visit(user))


async def one_inside_the_other(user: Any) -> None:
    async with user.open("/") as outer:
        await outer.round_trip("hello")
        await visit(user)


LINGERING: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "by itself": visit,
    "in turn": one_inside_the_other,
    "in another task": lambda user: asyncio.create_task(visit(user)),
    "in a group": in_a_group,
    "gathered": lambda user: asyncio.gather(visit(user), visit(user)),
}


OWN = ("by itself", "in turn")
"""The ways in which only the step's own task lingers."""


@pytest.mark.parametrize("way", LINGERING)
def test_lingering_is_no_part_of_any_step_or_is_marked_as_perhaps_being_part_of_it(
    w: World, way: str
) -> None:
    """It is left out if the step's own task lingers. Two tasks that linger at once take no more time than one."""
    w.context.long_looks = 2

    async def slowly(connection: ServerConnection) -> None:
        await asyncio.sleep(0.1)
        await echo(connection)

    w.serve(slowly)

    async def body(user: Any) -> None:
        with user.measure("outer"), user.measure("inner"):
            await LINGERING[way](user)
        with user.measure("after"):
            await asyncio.sleep(0.1)

    live(w, body)
    found = w.record().histograms
    for step in ("outer", "inner", "after"):
        without = step + UNLAGGED if way not in OWN and step != "after" else step
        assert found[step].min_ns >= 99 * MS
        assert 0 < found[without].min_ns < LONG_LOOK_NS


def test_a_step_is_not_shortened_by_what_lingers_beside_it(w: World) -> None:
    w.context.long_looks = 1
    w.serve()

    async def waits(user: Any) -> None:
        with user.measure("beside"):
            await asyncio.sleep(0.4)

    async def body(user: Any) -> None:
        await asyncio.gather(visit(user), waits(user))
        with user.measure("left"):
            background = asyncio.create_task(visit(user))
            await asyncio.sleep(0.1)
        await background

    live(w, body)
    assert w.record().histograms["beside"].min_ns >= 399 * MS
    assert w.totals.histograms["left"].min_ns >= 99 * MS


def test_a_step_that_waits_for_something_else_while_its_tasks_linger_is_not_too_short(w: World) -> None:
    """Nobody can tell that it did not wait for them, so it is marked."""
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        with user.measure("buy"):
            background = asyncio.create_task(visit(user))
            await asyncio.sleep(0.8)
        await background

    live(w, body)
    assert w.record().histograms["buy"].min_ns >= 799 * MS
    assert w.totals.histograms["buy" + UNLAGGED].min_ns < 400 * MS


def test_a_step_whose_task_lingers_by_itself_is_not_marked(w: World) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        with user.measure("buy"):
            await visit(user)
            await asyncio.sleep(0.4)

    live(w, body)
    found = w.record().histograms
    assert 399 * MS <= found["buy"].min_ns < 2 * LONG_LOOK_NS
    if "buy" + UNLAGGED in found:  # the machine was late
        assert found["buy"].min_ns - found["buy" + UNLAGGED].min_ns < 300 * MS


# The pauses of calls that fail at once


@pytest.fixture
def pause_ns(monkeypatch: pytest.MonkeyPatch) -> int:
    """Makes the pauses long, so that even a busy machine shows whether a step includes one."""
    monkeypatch.setattr(tally, "PAUSE_NS", 500 * MS)
    return 500 * MS


async def all_messages(user: Any) -> None:
    async for _ in user.messages():
        pass


FAILING: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "receive": lambda user: user.receive(),
    "messages": all_messages,
    "send": lambda user: user.send("x"),
    "round_trip": lambda user: user.round_trip("x"),
    "connect": lambda user: user.connect("ws://127.0.0.1:1/"),
    "open": lambda user: user.open("ws://127.0.0.1:1/").__aenter__(),
    "a bad URL": lambda user: user.connect("http://["),
    "a bad name": lambda user: user.round_trip("x", name="open"),
    "a bad time limit": lambda user: user.receive(timeout=-1),
}


@pytest.mark.parametrize("call", FAILING)
def test_the_pause_of_a_call_that_fails_at_once_is_no_part_of_a_step(
    w: World, call: str, pause_ns: int
) -> None:
    w.serve()

    async def body(user: Any) -> None:
        began_ns = time.monotonic_ns()
        with contextlib.suppress(WorkloadError, UsageError), user.measure("outer"), user.measure("inner"):
            await FAILING[call](user)
        assert time.monotonic_ns() - began_ns >= pause_ns

    live(w, body)
    failed = "" if call == "messages" else ".failed"
    for step in ("outer", "inner"):
        assert w.record().histograms[step + failed].percentile(100) < 0.9 * pause_ns


@pytest.mark.parametrize("call", ["receive", "round_trip"])
def test_a_step_is_not_shortened_by_a_pause_in_another_of_its_tasks(
    w: World, call: str, pause_ns: int
) -> None:
    w.serve()

    async def body(user: Any) -> None:
        with user.measure("together"):
            await asyncio.gather(FAILING[call](user), asyncio.sleep(0.6), return_exceptions=True)
        with user.measure("not awaited"):
            unsent = user.round_trip("x")
            await asyncio.sleep(0.6)
            with contextlib.suppress(WorkloadError):
                await unsent

    live(w, body)
    assert w.record().histograms["together"].min_ns >= 599 * MS
    assert w.totals.histograms["not awaited"].min_ns >= 599 * MS


def test_a_step_may_be_measured_in_a_thread(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        def work() -> None:
            with user.measure("in a thread"):
                time.sleep(0.01)

        await asyncio.to_thread(work)

    live(w, body)
    assert w.count("in a thread") == 1


@pytest.mark.parametrize("reading", ["at once", "late"])
def test_an_iteration_over_messages_does_not_pause_at_its_end(w: World, reading: str, pause_ns: int) -> None:
    async def push(connection: ServerConnection) -> None:
        for number in range(5):
            await connection.send(str(number))

    w.serve(push)

    async def body(user: Any) -> None:
        async with user.open("/") as connection:
            if reading == "late":
                await w.until(lambda: connection._socket.connection is None)
            began_ns = time.monotonic_ns()
            assert [message async for message in connection.messages()] == list("01234")
            assert time.monotonic_ns() - began_ns < 0.9 * pause_ns

    live(w, body)


def test_an_opening_that_took_its_time_to_fail_does_not_pause(w: World, pause_ns: int) -> None:
    async def slowly(connection: ServerConnection, request: Any) -> Any:
        await asyncio.sleep(pause_ns / 1e9)
        return connection.respond(403, "no")

    w.serve(process_request=slowly)

    async def body(user: Any) -> None:
        began_ns = time.monotonic_ns()
        with contextlib.suppress(WorkloadError):
            await user.connect()
        assert time.monotonic_ns() - began_ns < 1.5 * pause_ns

    live(w, body)


# Answers that may have gone to the wrong requests


async def ticks(connection: ServerConnection) -> None:
    """Pushes a tick every 20 ms, and answers each message after 200 ms."""

    async def tick() -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(0.02)
                await connection.send("tick")

    async with asyncio.TaskGroup() as tasks:
        beside = tasks.create_task(tick())
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                await asyncio.sleep(0.2)
                await connection.send(message)
        beside.cancel()


async def answers_twice(connection: ServerConnection) -> None:
    """Answers each message with itself, and the second one once more, 50 ms later."""
    number = 0
    async for message in connection:
        number += 1
        await connection.send(message)
        if number == 2:
            await asyncio.sleep(0.05)
            await connection.send(message)


async def swaps(connection: ServerConnection) -> None:
    """Answers two messages at once, without a word of theirs."""
    waiting = 0
    async for _ in connection:
        waiting += 1
        if waiting % 2 == 0:
            await connection.send("ok")
            await connection.send("ok")


async def a_push_is_taken(connection: Any) -> None:
    await connection.round_trip("buy", name="buy")


async def a_key_is_used_again(connection: Any) -> None:
    for _ in range(2):
        await connection.request("buy", key="buy", name="buy")


async def requests_overlap(connection: Any) -> None:
    await asyncio.gather(*(connection.round_trip(f"buy {each}", name="buy") for each in range(2)))


DOUBTFUL: dict[str, tuple[Any, Callable[[Any], Awaitable[None]], str]] = {
    "a push": (ticks, a_push_is_taken, Doubt.UNASKED),
    "a key that was used before": (answers_twice, a_key_is_used_again, Doubt.KEY_REUSED),
    "an overlap": (swaps, requests_overlap, "several requests were outstanding at once"),
}
"""The server, what is asked, and why its answers are in doubt."""


async def as_it_is(ask: Awaitable[None]) -> None:
    await ask


async def in_a_task(ask: Awaitable[None]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(as_it_is(ask))


@pytest.mark.parametrize("within", [as_it_is, in_a_task])
@pytest.mark.parametrize("why", DOUBTFUL)
def test_steps_around_answers_that_can_not_be_proved_are_not_trusted_either(
    w: World, why: str, within: Callable[[Awaitable[None]], Awaitable[None]]
) -> None:
    """The doubt about the first two arises after the step."""
    server, ask, reason = DOUBTFUL[why]
    w.serve(server)

    async def body(user: Any) -> None:
        async with user.open("/", key_of=lambda message: message) as connection:
            with user.measure("before"):
                await asyncio.sleep(0)
            with user.measure("outer"), user.measure("inner"):
                await within(ask(connection))
            with user.measure("after"):
                await asyncio.sleep(0.15)

    live(w, body)
    totals = w.record()
    for name in ("buy", "outer", "inner"):
        assert reason in doubt_of(name, totals), name
        assert not trusted(name, 50, totals)
    for name in ("before", "after"):
        assert doubt_of(name, totals) == ""
    if why == "a push":
        assert totals.histograms["outer"].max_ns < 200 * MS, "it ended with a tick"


def test_steps_around_other_requests_stay_trusted(w: World) -> None:
    """With keys of their own, under another name, on another connection, or of a task that outlives the step."""
    w.serve(ticks)

    def key_of(message: str) -> str | None:
        return message if message.startswith("key") else None

    async def body(user: Any) -> None:
        async with user.open("/", key_of=key_of) as doubtful, user.open("/", key_of=key_of) as other:
            with user.measure("keys of their own"):
                keys = ("key 1", "key 2")
                await asyncio.gather(*(doubtful.request(key, key=key, name="keyed") for key in keys))
            with user.measure("another connection"):
                await other.request("key 1", key="key 1", name="buy")
            with user.measure("outlived"):
                left = asyncio.create_task(a_push_is_taken_later(doubtful))
                await asyncio.sleep(0)
            await left
            await asyncio.sleep(0.3)

    async def a_push_is_taken_later(connection: Any) -> None:
        await asyncio.sleep(0.01)
        await a_push_is_taken(connection)

    live(w, body)
    totals = w.record()
    assert Doubt.UNASKED in doubt_of("buy", totals)
    for name in ("keyed", "keys of their own", "another connection", "outlived"):
        assert doubt_of(name, totals) == "", name
