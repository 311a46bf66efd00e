"""The timers: never early, in order, each callback on its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from wsload.load.engine.timers import TURNS, DelayQueue, Timer, TimerQueue

KINDS = (True, False) if sys.platform == "linux" else (False,)
MS = 1_000_000
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

both_kinds = pytest.mark.parametrize(
    "timerfd", KINDS, ids=lambda timerfd: "timerfd" if timerfd else "call_later"
)
offsets = st.lists(st.integers(-5 * MS, 25 * MS), max_size=30)

Body = Callable[[TimerQueue], Awaitable[None]]


def run(body: Body, timerfd: bool, *, loop: str = "uvloop") -> None:
    """Runs the body with a timer queue on a loop of its own, and waits for no longer than 20 s."""

    async def main() -> None:
        timers = TimerQueue(asyncio.get_running_loop(), timerfd=timerfd)
        try:
            async with asyncio.timeout(20):
                await body(timers)
        finally:
            timers.close()

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
    fired: list[int] = []

    async def body(timers: TimerQueue) -> None:
        done = asyncio.Event()
        start = time.monotonic_ns()

        def fire(due_ns: int) -> None:
            assert time.monotonic_ns() >= due_ns
            fired.append(due_ns)
            if len(fired) == len(offsets_ns):
                done.set()

        for offset in offsets_ns:
            timers.at(start + offset, fire, start + offset)
        if offsets_ns:
            await done.wait()
        assert fired == sorted(fired)
        assert fired == sorted(start + offset for offset in offsets_ns)

    with_errors: list[dict[str, Any]] = []

    async def strict(timers: TimerQueue) -> None:
        with collected_errors() as told:
            await body(timers)
            with_errors.extend(told)

    run(strict, timerfd, loop=loop)
    assert with_errors == []


@both_kinds
def test_timers_due_at_the_same_time_fire_in_the_order_in_which_they_were_added(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        fired: list[int] = []
        due_ns = time.monotonic_ns() + MS
        for number in range(20):
            timers.at(due_ns, fired.append, number)
        while len(fired) < 20:
            await timers.sleep_until(time.monotonic_ns() + MS)
        assert fired == list(range(20))

    run(body, timerfd)


@both_kinds
def test_an_earlier_timer_added_later_does_not_wait_for_the_others(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        far = timers.at(time.monotonic_ns() + 3_600_000 * MS, pytest.fail)
        await timers.sleep_until(time.monotonic_ns() + MS)
        far.cancel()

    run(body, timerfd)


@both_kinds
@pytest.mark.parametrize("due_ns", [-1, 0, 1])
def test_a_timer_in_the_distant_past_fires_at_once(timerfd: bool, due_ns: int) -> None:
    async def body(timers: TimerQueue) -> None:
        fired = asyncio.Event()
        timers.at(due_ns, fired.set)
        timers.at(time.monotonic_ns() + 3_600_000 * MS, pytest.fail)
        await fired.wait()

    run(body, timerfd)


@both_kinds
def test_a_cancelled_timer_does_not_fire(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        fired: list[str] = []
        due_ns = time.monotonic_ns() + MS
        calls = {name: timers.at(due_ns, fired.append, name) for name in ("a", "b", "c")}
        calls["b"].cancel()
        calls["b"].cancel()
        await timers.sleep_until(due_ns + 1)
        assert fired == ["a", "c"]
        calls["a"].cancel()

    run(body, timerfd)


@both_kinds
def test_a_callback_may_cancel_the_next_and_add_another(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        fired: list[str] = []
        done = asyncio.Event()
        due_ns = time.monotonic_ns() + MS

        def first() -> None:
            second.cancel()
            timers.at(due_ns + MS, done.set)

        timers.at(due_ns, first)
        second = timers.at(due_ns, fired.append, "second")
        await done.wait()
        assert fired == []

    run(body, timerfd)


@both_kinds
def test_a_callback_that_raises_is_reported_and_holds_up_no_other(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        def fail() -> None:
            raise ValueError("on purpose")

        with collected_errors() as told:
            timers.at(0, fail)
            await timers.sleep_until(time.monotonic_ns() + MS)
            assert [str(context["exception"]) for context in told] == ["on purpose"]

    run(body, timerfd)


@both_kinds
def test_a_timer_that_is_always_due_again_leaves_the_loop_its_turns(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        turns = calls = 0

        def again() -> None:
            nonlocal calls
            calls += 1
            if calls - turns > 1000:
                raise AssertionError("the loop had no turn in 1000 calls")
            timers.at(time.monotonic_ns(), again)

        with collected_errors() as told:
            timers.at(0, again)
            while turns < 20:
                turns += 1
                await asyncio.sleep(0)
                await timers.sleep_until(time.monotonic_ns() + 1)
            assert told == []

    run(body, timerfd)


@both_kinds
def test_sleeping_into_the_past_does_not_even_yield(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        ran: list[str] = []
        asyncio.get_running_loop().call_soon(ran.append, "another")
        await timers.sleep_until(time.monotonic_ns())
        assert ran == []

    run(body, timerfd)


@both_kinds
def test_a_sleep_can_be_cancelled(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        due_ns = time.monotonic_ns() + 5 * MS
        task = asyncio.ensure_future(timers.sleep_until(due_ns))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with collected_errors() as told:
            await timers.sleep_until(due_ns + MS)
            assert told == []

    run(body, timerfd)


@both_kinds
def test_a_closed_queue_fires_nothing(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        fired: list[str] = []
        closed = asyncio.Event()

        def close() -> None:
            timers.close()
            closed.set()

        timers.at(0, close)
        timers.at(0, fired.append, "in the same turn")
        timers.at(time.monotonic_ns() + MS, fired.append, "added before")
        await closed.wait()
        timers.at(time.monotonic_ns() + MS, fired.append, "added after")
        other = TimerQueue(asyncio.get_running_loop(), timerfd=timerfd)
        await other.sleep_until(time.monotonic_ns() + 5 * MS)
        other.close()
        assert fired == []

    run(body, timerfd)


@both_kinds
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("held_up_by", ["a task", "what is read first"])
@pytest.mark.parametrize("queue", ["timers", "delays"])
def test_a_deadline_passes_only_once_what_came_before_was_read(
    queue: str, held_up_by: str, loop: str, timerfd: bool
) -> None:
    async def body(timers: TimerQueue) -> None:
        ours, theirs = socket.socketpair()
        first, firsts = socket.socketpair()
        events, running = [], asyncio.get_running_loop()

        def hold_up() -> None:
            time.sleep(0.005)
            theirs.send(b"x")
            time.sleep(0.02)

        def read_first() -> None:
            first.recv(1)
            hold_up()

        def read() -> None:
            ours.recv(1)
            events.append("read")
            deadline.cancel()

        running.add_reader(first, read_first)
        running.add_reader(ours, read)
        timers.at(time.monotonic_ns() + MS, lambda: None)
        if queue == "timers":
            deadline = timers.deadline(time.monotonic_ns() + 20 * MS, events.append, "passed")
        else:
            deadline = DelayQueue(timers, 20 * MS, deadlines=True).add(events.append, "passed")
        if held_up_by == "a task":
            hold_up()
        else:
            firsts.send(b"x")
            time.sleep(0.002)  # noqa: ASYNC251
        while not events:
            await timers.sleep_until(time.monotonic_ns() + MS)
        done = asyncio.Event()
        timers.deadline(time.monotonic_ns(), done.set)
        await done.wait()
        for each in (first, ours):
            running.remove_reader(each)
        for each in (first, firsts, ours, theirs):
            each.close()
        assert events == ["read"]

    run(body, timerfd, loop=loop)


# Limits, which a task must keep


@both_kinds
def test_a_block_that_takes_too_long_is_timed_out(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        task = asyncio.current_task()
        assert task is not None
        began_ns = time.monotonic_ns()
        with pytest.raises(TimeoutError):
            async with timers.limit(0.01):
                await asyncio.Event().wait()
        assert time.monotonic_ns() >= began_ns + 10 * MS
        assert not task.cancelling()
        with pytest.raises(ZeroDivisionError):
            async with timers.limit(10):
                print(1 / 0)
        with pytest.raises(TimeoutError, match="their own"):
            async with timers.limit(10):
                raise TimeoutError("their own")

    run(body, timerfd)


@both_kinds
def test_a_block_that_ended_in_time_is_left_alone(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        with collected_errors() as told:
            for turns in range(2 * TURNS):
                async with timers.limit(0):
                    for _ in range(min(turns, TURNS)):
                        await asyncio.sleep(0)
            await timers.sleep_until(time.monotonic_ns() + MS)
            assert told == []

    run(body, timerfd)


@both_kinds
@pytest.mark.parametrize("when", ["before", "with the limit", "in its grace"])
def test_a_task_that_is_cancelled_in_a_block_is_cancelled_and_not_timed_out(when: str, timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        begun = asyncio.Event()

        async def work() -> None:
            async with timers.limit(100 if when == "before" else 0.001):
                begun.set()
                await asyncio.Event().wait()

        def cancel(turns: int) -> None:
            """In the very turn in which the time is up, or before."""
            if turns:
                loop.call_soon(cancel, turns - 1)
            else:
                working.cancel()

        loop = asyncio.get_running_loop()
        working = asyncio.ensure_future(work())
        await begun.wait()
        turns = {"before": 0, "with the limit": TURNS + 1, "in its grace": TURNS // 2}[when]
        timers.deadline(time.monotonic_ns() + 2 * MS, cancel, turns)
        time.sleep(0.005)  # noqa: ASYNC251  # both are due in the same turn
        with pytest.raises(asyncio.CancelledError):
            await working

    run(body, timerfd)


@both_kinds
def test_of_two_blocks_the_one_whose_time_is_up_is_timed_out(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        for outer, inner in ((0.005, 100.0), (100.0, 0.005)):
            caught = ""
            with contextlib.suppress(TimeoutError):
                async with timers.limit(outer):
                    try:
                        async with timers.limit(inner):
                            await asyncio.Event().wait()
                    except TimeoutError:
                        caught = "inner"
                        raise
                    except asyncio.CancelledError:
                        caught = "outer"
                        raise
            assert caught == ("outer" if outer < inner else "inner")

    run(body, timerfd)


@both_kinds
def test_it_says_what_wakes_it(timerfd: bool) -> None:
    async def body(timers: TimerQueue) -> None:
        assert timers.kind == ("timerfd" if timerfd else "call_later")
        timers.close()
        assert timers.kind == ("timerfd" if timerfd else "call_later")

    run(body, timerfd)


# Timers that all wait equally long


@settings(max_examples=30)
@given(
    delay_ns=st.integers(0, 3 * MS),
    steps=st.lists(
        st.sampled_from(("add", "add", "cancel the last", "cancel the first", "wait")), max_size=30
    ),
)
def test_a_delay_queue_fires_what_was_not_cancelled_in_order_and_never_early(
    delay_ns: int, steps: list[str]
) -> None:
    async def body(timers: TimerQueue) -> None:
        queue = DelayQueue(timers, delay_ns)
        fired: list[int] = []
        added: dict[int, Timer] = {}
        cancelled: set[int] = set()

        def fire(number: int) -> None:
            assert time.monotonic_ns() >= added[number].due_ns
            fired.append(number)

        for number, step in enumerate(steps):
            if step == "add":
                before = time.monotonic_ns()
                added[number] = queue.add(fire, number)
                assert added[number].due_ns >= before + delay_ns
            elif step == "wait":
                await timers.sleep_until(time.monotonic_ns() + delay_ns // 2 + 1)
            elif waiting := [each for each in added if each not in fired and each not in cancelled]:
                chosen = waiting[-1 if step == "cancel the last" else 0]
                added[chosen].cancel()
                cancelled.add(chosen)
        while len(fired) + len(cancelled) < len(added):
            await timers.sleep_until(time.monotonic_ns() + MS)
        assert fired == [number for number in added if number not in cancelled]

    run(body, KINDS[0])


def test_a_delay_queue_keeps_one_timer_in_the_heap() -> None:
    async def body(timers: TimerQueue) -> None:
        queue = DelayQueue(timers, 10 * MS)
        done = asyncio.Event()
        for _ in range(100):
            queue.add(lambda: None)
        queue.add(done.set)
        assert len(timers._heap) == 1
        await done.wait()
        queue.add(done.clear)
        while done.is_set():
            await timers.sleep_until(time.monotonic_ns() + MS)

    run(body, KINDS[0])


def test_a_callback_of_a_delay_queue_that_raises_holds_up_no_other() -> None:
    async def body(timers: TimerQueue) -> None:
        queue = DelayQueue(timers, MS)
        done = asyncio.Event()
        with collected_errors() as told:
            queue.add(lambda: 1 / 0)
            queue.add(done.set)
            await done.wait()
            assert [type(context["exception"]) for context in told] == [ZeroDivisionError]

    run(body, KINDS[0])
