from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from wsload.load.engine.timers import Alarm

KINDS = (True, False) if sys.platform == "linux" else (False,)
MS = 1_000_000
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

both_kinds = pytest.mark.parametrize(
    "timerfd", KINDS, ids=lambda timerfd: "timerfd" if timerfd else "call_later"
)
offsets = st.lists(st.integers(-5 * MS, 25 * MS), max_size=30)

Body = Callable[[Alarm], Awaitable[None]]


def run(body: Body, timerfd: bool, *, loop: str = "uvloop") -> None:
    """Runs the body with an alarm on a loop of its own, and waits for no longer than 20 s."""

    async def main() -> None:
        alarm = Alarm(asyncio.get_running_loop(), timerfd=timerfd)
        try:
            async with asyncio.timeout(20):
                await body(alarm)
        finally:
            alarm.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


@contextmanager
def collected_errors() -> Iterator[list[dict[str, Any]]]:
    """What the running loop's exception handler is told."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    yield told


@both_kinds
@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=15)
@given(offsets_ns=offsets)
def test_never_early_and_in_order(offsets_ns: list[int], timerfd: bool, loop: str) -> None:
    rung: list[int] = []

    async def body(alarm: Alarm) -> None:
        done = asyncio.Event()
        start = time.monotonic_ns()

        def ring(due_ns: int) -> None:
            assert time.monotonic_ns() >= due_ns
            rung.append(due_ns)
            if len(rung) == len(offsets_ns):
                done.set()

        for offset in offsets_ns:
            alarm.at(start + offset, ring, start + offset)
        if offsets_ns:
            await done.wait()
        assert rung == sorted(rung)
        assert rung == sorted(start + offset for offset in offsets_ns)

    with_errors: list[dict[str, Any]] = []

    async def strict(alarm: Alarm) -> None:
        with collected_errors() as told:
            await body(alarm)
            with_errors.extend(told)

    run(strict, timerfd, loop=loop)
    assert with_errors == []


@both_kinds
def test_of_two_at_the_same_time_the_first_asked_for_rings_first(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        rung: list[int] = []
        due_ns = time.monotonic_ns() + MS
        for number in range(20):
            alarm.at(due_ns, rung.append, number)
        await alarm.sleep_until(due_ns + 1)
        assert rung == list(range(20))

    run(body, timerfd)


@both_kinds
def test_an_earlier_ring_asked_for_later_does_not_wait_for_the_other(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        far = alarm.at(time.monotonic_ns() + 3_600_000 * MS, pytest.fail)
        await alarm.sleep_until(time.monotonic_ns() + MS)
        far.cancel()

    run(body, timerfd)


@both_kinds
@pytest.mark.parametrize("due_ns", [-1, 0, 1])
def test_the_distant_past_rings_at_once_whatever_else_is_due(timerfd: bool, due_ns: int) -> None:
    async def body(alarm: Alarm) -> None:
        rung = asyncio.Event()
        alarm.at(due_ns, rung.set)
        alarm.at(time.monotonic_ns() + 3_600_000 * MS, pytest.fail)
        await rung.wait()

    run(body, timerfd)


@both_kinds
def test_what_was_cancelled_does_not_ring(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        rung: list[str] = []
        due_ns = time.monotonic_ns() + MS
        rings = {name: alarm.at(due_ns, rung.append, name) for name in ("a", "b", "c")}
        rings["b"].cancel()
        rings["b"].cancel()
        await alarm.sleep_until(due_ns + 1)
        assert rung == ["a", "c"]
        rings["a"].cancel()

    run(body, timerfd)


@both_kinds
def test_a_callback_may_cancel_the_next_and_ask_for_another(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        rung: list[str] = []
        done = asyncio.Event()
        due_ns = time.monotonic_ns() + MS

        def first() -> None:
            second.cancel()
            alarm.at(due_ns + MS, done.set)

        alarm.at(due_ns, first)
        second = alarm.at(due_ns, rung.append, "second")
        await done.wait()
        assert rung == []

    run(body, timerfd)


@both_kinds
def test_a_callback_that_raises_is_reported_and_keeps_nobody_waiting(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        def fail() -> None:
            raise ValueError("on purpose")

        with collected_errors() as told:
            alarm.at(0, fail)
            await alarm.sleep_until(time.monotonic_ns() + MS)
            assert [str(context["exception"]) for context in told] == ["on purpose"]

    run(body, timerfd)


@both_kinds
def test_one_that_is_always_due_again_leaves_the_loop_its_turns(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        turns = rings = 0

        def again() -> None:
            nonlocal rings
            rings += 1
            if rings - turns > 1000:
                raise AssertionError("the loop had no turn in 1000 rings")
            alarm.at(time.monotonic_ns(), again)

        with collected_errors() as told:
            alarm.at(0, again)
            while turns < 20:
                turns += 1
                await asyncio.sleep(0)
                await alarm.sleep_until(time.monotonic_ns() + 1)
            assert told == []

    run(body, timerfd)


@both_kinds
def test_sleeping_into_the_past_does_not_even_yield(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        ran: list[str] = []
        asyncio.get_running_loop().call_soon(ran.append, "another")
        await alarm.sleep_until(time.monotonic_ns())
        assert ran == []

    run(body, timerfd)


@both_kinds
def test_a_sleep_can_be_cancelled(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        due_ns = time.monotonic_ns() + 5 * MS
        task = asyncio.ensure_future(alarm.sleep_until(due_ns))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with collected_errors() as told:
            await alarm.sleep_until(due_ns + MS)
            assert told == []

    run(body, timerfd)


@both_kinds
def test_once_closed_it_rings_no_more(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        rung: list[str] = []
        closed = asyncio.Event()

        def close() -> None:
            alarm.close()
            closed.set()

        alarm.at(0, close)
        alarm.at(0, rung.append, "in the same turn")
        alarm.at(time.monotonic_ns() + MS, rung.append, "asked for before")
        await closed.wait()
        alarm.at(time.monotonic_ns() + MS, rung.append, "asked for after")
        witness = Alarm(asyncio.get_running_loop(), timerfd=timerfd)
        await witness.sleep_until(time.monotonic_ns() + 5 * MS)
        witness.close()
        assert rung == []

    run(body, timerfd)


@both_kinds
def test_it_says_which_clock_it_has(timerfd: bool) -> None:
    async def body(alarm: Alarm) -> None:
        assert alarm.kind == ("timerfd" if timerfd else "call_later")
        alarm.close()
        assert alarm.kind == ("timerfd" if timerfd else "call_later")

    run(body, timerfd)
