from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from wsload.load.locust.threads import MAX_THREADS, RealThreadPool


def on_a_loop(scene: Callable[[RealThreadPool], Coroutine[Any, Any, Any]]) -> Any:
    loop = uvloop.new_event_loop()
    pool = RealThreadPool(loop)
    loop.set_default_executor(pool)
    try:
        return loop.run_until_complete(asyncio.wait_for(scene(pool), 20))
    finally:
        loop.close()


def test_what_a_thread_returns_or_raises_is_what_awaiting_gives() -> None:
    def fail() -> None:
        raise KeyError("no")

    def stop() -> None:
        raise StopIteration

    async def scene(_: RealThreadPool) -> list[Any]:
        calls = [asyncio.to_thread(pow, 2, n) for n in range(200)]
        return await asyncio.gather(
            *calls, asyncio.to_thread(fail), asyncio.to_thread(stop), return_exceptions=True
        )

    *results, failed, stopped = on_a_loop(scene)
    assert results == [2**n for n in range(200)]
    assert isinstance(failed, KeyError)
    assert isinstance(stopped, RuntimeError)


def test_each_call_has_a_thread_while_there_are_any_left() -> None:
    at_work = threading.Semaphore(0)
    together = threading.Barrier(MAX_THREADS)

    async def scene(pool: RealThreadPool) -> None:
        def work() -> int:
            at_work.release()
            together.wait(20)
            return threading.get_ident()

        calls = [asyncio.to_thread(work) for _ in range(MAX_THREADS)]
        assert len(set(await asyncio.gather(*calls))) == MAX_THREADS
        # Those that have ended serve again; more calls than threads wait for their turn.
        idents = await asyncio.gather(
            *(asyncio.to_thread(threading.get_ident) for _ in range(3 * MAX_THREADS))
        )
        assert len(set(idents)) <= MAX_THREADS

    on_a_loop(scene)


def test_one_call_after_the_other_needs_one_thread() -> None:
    async def scene(_: RealThreadPool) -> set[int]:
        return {await asyncio.to_thread(threading.get_ident) for _ in range(20)}

    assert len(on_a_loop(scene)) == 1


def test_a_call_that_is_given_up_disturbs_nobody() -> None:
    go_on = threading.Event()

    async def scene(_: RealThreadPool) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.to_thread(go_on.wait, 20)
        go_on.set()
        return await asyncio.to_thread(len, "abc")

    assert on_a_loop(scene) == 3


def test_a_thread_that_ends_after_the_loop_is_let_go() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(20)
        ended.set()

    async def scene(pool: RealThreadPool) -> None:
        pool.submit(work)

    on_a_loop(scene)
    go_on.set()
    assert ended.wait(20)
