"""From when times in a due task count: from its due time, but never with wsload's own waits unless that is marked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from world import World, world

from wsload import WebSocketUser, constant_rate, task
from wsload.load.users.requests import LONG_LOOK_NS
from wsload.measure.names import UNLAGGED

LONG_LOOK_S = LONG_LOOK_NS / 1e9


@pytest.fixture
def w() -> Iterator[World]:
    with world() as made:
        yield made


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
