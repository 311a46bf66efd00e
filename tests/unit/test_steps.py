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
from world import World, echo

from wsload import UsageError, WebSocketUser, WorkloadError
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
