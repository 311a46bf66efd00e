"""From when times in a due task count: from its due time, but never with wsload's own waits unless that is marked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from world import World, echo

from wsload import OpenError, WebSocketUser, constant_rate, task
from wsload.load.users.context.here import NEVER_DUE, Due
from wsload.load.users.sockets.requests import LONG_LOOK_NS
from wsload.measure.lateness import Lateness
from wsload.measure.names import UNLAGGED

MS = 1_000_000
LONG_LOOK_S = LONG_LOOK_NS / 1e9


def live(w: World, body: Callable[[Any], Awaitable[None]], **attributes: Any) -> None:
    """Lives a user that does this in one due task."""

    class Once(WebSocketUser):
        abstract = True
        wait_time = constant_rate(5)

        @task
        async def talk(self) -> None:
            self._life.stop()
            await body(self)

    w.live(type("User", (Once,), attributes))


async def asked(user: Any) -> None:
    """As on_start: gives the connection a reason to linger."""
    await user.round_trip("hello", name="hello")


def least(w: World, metric: str) -> int:
    return w.record().histograms[metric].min_ns


@pytest.mark.parametrize("way", ["request", "step"])
def test_what_a_due_task_lingered_before_is_no_part_of_its_first_time(w: World, way: str) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        await user.close()
        await user.connect()
        if way == "request":
            await user.round_trip("x")
        else:
            with user.measure("message"):
                await asyncio.sleep(0.05)

    live(w, body, on_start=asked)
    assert least(w, "message") < LONG_LOOK_NS
    assert w.count("close") == 2


@pytest.mark.parametrize("way", ["request", "step"])
def test_what_another_task_lingers_meanwhile_is_marked_since_it_may_not_have_mattered(
    w: World, way: str
) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        lingering = asyncio.create_task(user.close())
        other = await user.open("/other")
        await asyncio.sleep(LONG_LOOK_S)
        if way == "request":
            await other.round_trip("x")
        else:
            with user.measure("message"):
                await asyncio.sleep(0.05)
        await lingering

    live(w, body, on_start=asked)
    assert least(w, "message") >= LONG_LOOK_NS
    assert least(w, "message" + UNLAGGED) < LONG_LOOK_NS / 2


def test_a_task_that_did_not_wait_while_its_maker_lingered_is_not_too_fast(w: World) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(1.5 * LONG_LOOK_S)
            await other.round_trip("x")

        other = await user.open("/other")
        child = asyncio.create_task(later())
        await user.close()
        await child

    live(w, body, on_start=asked)
    assert least(w, "message") >= 1.5 * LONG_LOOK_NS
    assert least(w, "message" + UNLAGGED) < LONG_LOOK_NS / 2


def test_only_the_first_request_counts_from_the_due_time_whoever_lingered(w: World) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        other = await user.open("/other")
        await other.round_trip("x")
        await user.close()
        await other.round_trip("y", name="second")

    live(w, body, on_start=asked)
    assert w.count("second") == 1 and w.record().histograms["second"].max_ns < LONG_LOOK_NS / 2


# Who else may not count from it


async def ticks_and_echoes(connection: ServerConnection) -> None:
    """Pushes a tick, and answers each message with itself."""
    await connection.send("tick")
    await echo(connection)


@pytest.mark.parametrize("how", ["request", "step in a task"])
@pytest.mark.parametrize("which", ["main", "further"])
@pytest.mark.parametrize("slow", ["opening", "tick"])
def test_what_a_hook_does_counts_from_then_whichever_task_opened_its_connection(
    w: World, slow: str, which: str, how: str
) -> None:
    """Also if a message came with the opening, so that the hook is called in the task itself."""

    async def push(connection: ServerConnection) -> None:
        if slow == "tick":
            await asyncio.sleep(0.5)
        await ticks_and_echoes(connection)

    async def process_request(*_: Any) -> None:
        if slow == "opening":
            await asyncio.sleep(0.5)

    w.serve(push, process_request=process_request)
    acknowledged = asyncio.Event()

    async def in_a_task(user: Any) -> None:
        with user.measure("ack"):
            await asyncio.sleep(0.01)
        acknowledged.set()

    def on_tick(user: Any, message: str) -> None:
        if message != "tick":
            return
        if how == "request":
            answer = opened[0].request("ack", key="ack", name="ack")
            answer.add_done_callback(lambda _: acknowledged.set())
        else:
            tasks.append(asyncio.create_task(in_a_task(user)))

    opened: list[Any] = []
    tasks: list[asyncio.Task[None]] = []

    def key_of(_: Any, message: str) -> str | None:
        return message if message == "ack" else None

    async def body(user: Any) -> None:
        if which == "main":
            opened.append(user)
            await user.connect()
            await acknowledged.wait()
        else:
            opened.append(user.open("/feed", on_message=lambda message: on_tick(user, message)))
            async with opened[0]:
                await acknowledged.wait()

    live(w, body, auto_connect=False, key_of=key_of, on_message=on_tick)
    assert w.record().histograms["ack"].max_ns < 400 * MS


def test_what_a_task_left_running_counts_from_when_it_asks(w: World) -> None:
    w.serve()
    left: list[asyncio.Task[None]] = []

    async def later(user: Any) -> None:
        await asyncio.sleep(0.5)
        await user.round_trip("x", name="later")

    async def body(user: Any) -> None:
        left.append(asyncio.create_task(later(user)))

    async def on_stop(user: Any) -> None:
        await left[0]

    live(w, body, on_stop=on_stop)
    assert w.record().histograms["later"].max_ns < 400 * MS


def test_a_task_that_was_left_to_ask_at_once_counts_from_the_due_time(w: World) -> None:
    w.serve()
    left: list[asyncio.Task[None]] = []

    async def body(user: Any) -> None:
        await asyncio.sleep(0.1)
        left.append(asyncio.create_task(asked(user)))

    async def on_stop(user: Any) -> None:
        await left[0]

    live(w, body, on_stop=on_stop)
    assert least(w, "hello") >= 99 * MS


def test_what_on_connect_asks_in_a_due_task_counts_from_the_due_time(w: World) -> None:
    """It is the first request of that task."""
    w.serve()

    async def body(user: Any) -> None:
        await asyncio.sleep(0.1)
        await user.connect()

    async def on_connect(user: Any) -> None:
        await user.round_trip("hello", name="hello")

    live(w, body, auto_connect=False, on_connect=on_connect)
    assert least(w, "hello") >= 99 * MS


# Openings


async def connects(user: Any) -> None:
    await user.connect()


async def opens(user: Any) -> None:
    async with user.open("/other"):
        pass


async def waits_for_an_opening(user: Any) -> None:
    await asyncio.wait_for(user.open("/other"), 5)


async def connects_in_a_step(user: Any) -> None:
    with user.measure("visit"):
        await user.connect()


@pytest.mark.parametrize("way", [connects, opens, waits_for_an_opening, connects_in_a_step])
def test_a_tasks_first_opening_counts_from_the_due_time(
    w: World, way: Callable[[Any], Awaitable[None]]
) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await asyncio.sleep(0.1)
        await way(user)

    live(w, body, auto_connect=False)
    assert w.count("open") == 1 and least(w, "open") >= 99 * MS


def test_its_further_openings_count_from_their_calls(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await asyncio.sleep(1)
        await user.connect()
        await user.close()
        await user.connect()
        await user.open("/other")

    live(w, body, auto_connect=False)
    found = w.record().histograms["open"]
    assert found.total == 3 and found.max_ns >= 990 * MS
    assert found.percentile(50) < 500 * MS


def test_an_opening_after_a_failed_one_counts_from_its_call(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await asyncio.sleep(0.5)
        with pytest.raises(OpenError):
            await user.connect("ws://127.0.0.1:1/")
        await user.connect()

    live(w, body, auto_connect=False)
    assert w.count("open") == 1 and w.record().histograms["open"].max_ns < 400 * MS


@pytest.mark.parametrize("way", ["request", "step"])
def test_an_opening_after_something_else_that_counted_from_the_due_time_counts_from_its_call(
    w: World, way: str
) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await asyncio.sleep(0.5)
        if way == "request":
            await user.round_trip("x")
        else:
            with user.measure("x"):
                pass
        await user.open("/other")

    live(w, body)
    assert w.count("open") == 2 and w.record().histograms["open"].max_ns < 400 * MS


def test_an_opening_does_not_keep_the_first_request_from_counting_from_the_due_time(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await asyncio.sleep(0.1)
        await user.connect()
        await user.round_trip("x", name="first")
        await user.round_trip("x", name="second")

    live(w, body, auto_connect=False)
    assert least(w, "first") >= 99 * MS > least(w, "second")


def test_the_wait_of_a_visit_for_its_turn_is_part_of_its_opening(w: World) -> None:
    w.serve()

    class Visitor(WebSocketUser):
        auto_connect = overlap = False
        wait_time = constant_rate(50)
        visits = 0

        @task
        async def visit(self) -> None:
            await self.connect()
            await asyncio.sleep(0.05)
            await self.close()
            self.visits += 1
            if self.visits == 5:
                self._life.stop()

    w.live(Visitor)
    found = w.record().histograms["open"]
    assert found.total == 5 and found.max_ns >= 110 * MS, "the fifth was due long before it could begin"


def test_the_first_opening_has_the_tasks_lag() -> None:
    due = Due(1_000, Lateness())
    due.lag_ns = 50
    assert due.opening(5_000) == (1_000, 50)
    assert due.opening(6_000) == (6_000, 0)
    assert due.take(7_000) == (1_000, 50)
    assert due.opening(8_000) == (8_000, 0)
    assert NEVER_DUE.opening(9_000) == NEVER_DUE.opening(9_000) == (9_000, 0)
    taken = Due(1_000, Lateness())
    taken.take(2_000)
    assert taken.opening(3_000) == (3_000, 0)
