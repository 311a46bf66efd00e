"""The stack of another thread is whole, and of one moment, however fast that thread runs on."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import greenlet
import pytest

from wsload.load.locust.blocked import place_of, stack_of_greenlet, stack_of_thread


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns all the time."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def deep(levels: int) -> int:
    return deep(levels - 1) + 1 if levels else 0


async def leaf() -> None:
    await asyncio.sleep(0)


async def branch() -> None:
    await asyncio.gather(*(leaf() for _ in range(3)))
    deep(30)


def test_a_running_threads_stack_is_whole_every_time(hasty: None) -> None:
    ended = threading.Event()

    def runs() -> None:
        async def busy() -> None:
            while not ended.is_set():
                await branch()

        asyncio.run(busy())

    thread = threading.Thread(target=runs)
    thread.start()
    try:
        assert thread.ident is not None
        seen: set[str] = set()
        for _ in range(20_000):
            frames = stack_of_thread(thread.ident)
            assert {type(each) for each in frames} == {FrameType}
            assert frames[-1].f_code.co_name == "_bootstrap", [each.f_code.co_name for each in frames]
            seen |= {each.f_code.co_name for each in frames}
    finally:
        ended.set()
        thread.join()
    assert {"run_forever", "runs"} <= seen
    assert stack_of_thread(thread.ident) == []


def test_a_suspended_greenlet_has_a_stack_and_a_running_one_has_none() -> None:
    def inner() -> None:
        greenlet.getcurrent().parent.switch()

    def outer() -> None:
        assert stack_of_greenlet(greenlet.getcurrent()) == []
        inner()

    made = greenlet.greenlet(outer)
    assert stack_of_greenlet(made) == []
    made.switch()
    assert [each.f_code.co_name for each in stack_of_greenlet(made)][:2] == ["inner", "outer"]
    made.switch()
    assert stack_of_greenlet(made) == []


def test_a_place_can_be_sent_and_stored_whatever_the_file_is_called() -> None:
    found: list[str] = []

    def note() -> None:
        place = place_of([sys._getframe(1)])
        assert place is not None
        found.append(place.text)

    exec(compile("note()", "caf\udce9.py", "exec"), {"note": note})
    assert found == ["<module> (caf?.py:1)"]
