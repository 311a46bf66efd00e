"""Exceptions that nobody handles, in background tasks and callbacks of a user class, are failures of that code."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from locust import TaskSet, constant
from locust.exception import StopTest, StopUser
from world import Hooked, Quiet, World

from wsload import ConnectionLost, constant_rate, task
from wsload.load.engine.watched import Watch, current_watch, told

Body = Callable[[Any], Awaitable[Any]]


async def fail() -> None:
    raise KeyError("odd push")


def tick(*_: Any) -> None:
    raise KeyError("odd push")


def live(w: World, body: Body, **attributes: Any) -> Any:
    """Lives a user that does this in its only task, which then goes on for a little while."""

    async def only(self: Any) -> None:
        self._life.stop()
        await body(self)
        await asyncio.sleep(0.02)

    return w.live(type("User", (Quiet,), {"tasks": [only], **attributes}))


# Background tasks


KEPT: list[asyncio.Task[None]] = []


async def kept(user: Any) -> None:
    user.reader = asyncio.create_task(fail())


async def kept_in_a_list(user: Any) -> None:
    user.readers = [asyncio.create_task(fail())]


async def kept_elsewhere(user: Any) -> None:
    KEPT.append(asyncio.create_task(fail()))


async def dropped(user: Any) -> None:
    asyncio.create_task(fail())  # noqa: RUF006  # on purpose


async def ensured(user: Any) -> None:
    user.reader = asyncio.ensure_future(fail())


async def made_by_the_loop(user: Any) -> None:
    user.reader = asyncio.get_running_loop().create_task(fail())


async def in_a_copy_of_the_context(user: Any) -> None:
    user.reader = asyncio.create_task(fail(), context=contextvars.copy_context())


async def waited_for_but_not_looked_at(user: Any) -> None:
    user.readers, _ = await asyncio.wait([asyncio.create_task(fail())])


async def of_a_background_task(user: Any) -> None:
    async def begin() -> None:
        user.inner = asyncio.create_task(fail())

    user.outer = asyncio.create_task(begin())


WAYS = [kept, kept_in_a_list, kept_elsewhere, dropped, ensured, made_by_the_loop, in_a_copy_of_the_context,
        waited_for_but_not_looked_at, of_a_background_task]  # fmt: skip


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(5)], ids=["closed", "open"])
@pytest.mark.parametrize("way", WAYS)
def test_an_exception_in_a_background_task_is_a_failure_of_it(w: World, way: Body, wait_time: Any) -> None:
    w.serve()
    live(w, way, wait_time=wait_time)
    assert w.failures() == {"task fail: KeyError": 1}
    assert [type(error) for error in w.reported] == [KeyError]
    assert "in fail" in w.texts[0] and "odd push" in w.texts[0]
    KEPT.clear()


@pytest.mark.parametrize("way", [kept, dropped])
@pytest.mark.parametrize("hook", ["on_opening", "on_connect", "on_start", "on_message", "on_stop"])
def test_whichever_hook_has_begun_it(w: World, hook: str, way: Body) -> None:
    w.serve()

    class User(Hooked):
        begun = False

        async def at(self, where: str) -> None:
            if where == hook:
                await way(self)
                await asyncio.sleep(0.02)

        def on_message(self, message: Any) -> None:
            self.begun = True
            if hook == "on_message":
                begins = way(self).__await__()
                with contextlib.suppress(StopIteration):
                    next(begins)

        @task
        async def talk(self) -> None:
            self._life.stop()
            await self.send("pushed")
            await w.until(lambda: self.begun)
            await asyncio.sleep(0.02)

    w.live(User)
    assert w.failures() == {"task fail: KeyError": 1}


def test_a_task_sets_background_task_is_its_users(w: World) -> None:
    w.serve()

    class Room(TaskSet):
        async def on_start(self) -> None:
            self.reader = asyncio.create_task(fail())

        @task
        async def stay(self) -> None:
            self.user._life.stop()
            await asyncio.sleep(0.02)

    w.live(type("User", (Quiet,), {"tasks": [Room]}))
    assert w.failures() == {"task fail: KeyError": 1}


def test_each_user_is_told_of_its_own(w: World) -> None:
    w.serve()
    users: list[str] = []
    w.context.report_user_error = lambda user, *_: users.append(type(user).__name__)

    class One(Quiet):
        @task
        async def begin(self) -> None:
            self._life.stop()
            await kept(self)
            await dropped(self)
            asyncio.get_running_loop().call_soon(tick)
            await asyncio.sleep(0.02)

    w.live(One, type("Two", (One,), {}))
    assert sorted(users) == ["One"] * 3 + ["Two"] * 3


async def awaited(user: Any) -> None:
    with contextlib.suppress(KeyError):
        await asyncio.create_task(fail())


async def awaited_later(user: Any) -> None:
    reader = asyncio.create_task(fail())
    await asyncio.sleep(0.02)
    with contextlib.suppress(KeyError):
        await reader


async def gathered(user: Any) -> None:
    with contextlib.suppress(KeyError):
        await asyncio.gather(fail(), fail())


async def gathered_with_exceptions(user: Any) -> None:
    await asyncio.gather(fail(), fail(), return_exceptions=True)


async def in_a_group(user: Any) -> None:
    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(fail())


async def in_time(user: Any) -> None:
    with contextlib.suppress(KeyError):
        await asyncio.wait_for(fail(), 5)


async def shielded(user: Any) -> None:
    with contextlib.suppress(KeyError):
        await asyncio.shield(fail())


async def looked_at(user: Any) -> None:
    (user.reader,), _ = await asyncio.wait([asyncio.create_task(fail())])
    assert isinstance(user.reader.exception(), KeyError)


async def cancelled(user: Any) -> None:
    user.reader = asyncio.create_task(asyncio.sleep(9))
    await asyncio.sleep(0)
    user.reader.cancel()


async def cancelled_and_dropped(user: Any) -> None:
    asyncio.create_task(asyncio.sleep(9)).cancel()


async def left_running(user: Any) -> None:
    user.reader = asyncio.create_task(asyncio.sleep(9))


async def returned(user: Any) -> None:
    user.reader = asyncio.create_task(asyncio.sleep(0))


HANDLED = [awaited, awaited_later, gathered, gathered_with_exceptions, in_a_group, in_time, shielded, looked_at,
           cancelled, cancelled_and_dropped, left_running, returned]  # fmt: skip


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(5)], ids=["closed", "open"])
@pytest.mark.parametrize("way", HANDLED)
def test_what_is_handled_is_no_failure(w: World, way: Body, wait_time: Any) -> None:
    w.serve()
    live(w, way, wait_time=wait_time)
    assert w.failures() == {} and w.reported == []


def test_what_on_stop_awaits_is_its_own_failure_and_no_other(w: World) -> None:
    w.serve()

    async def on_stop(user: Any) -> None:
        await user.reader

    live(w, kept, on_stop=on_stop)
    assert w.failures() == {"on_stop: KeyError": 1}


@pytest.mark.parametrize("keep", [True, False])
def test_what_was_counted_already_is_not_counted_again(w: World, keep: bool) -> None:
    w.serve()

    async def lose() -> None:
        raise ConnectionLost("counted")

    async def begin(user: Any) -> None:
        reader = asyncio.create_task(lose())
        if keep:
            user.reader = reader

    live(w, begin)
    assert w.failures() == {} and w.reported == []


@pytest.mark.parametrize("how", ["task", "callback"])
@pytest.mark.parametrize("ends", [StopUser, StopTest])
def test_what_ends_a_user_or_the_run_does_so_in_the_background_too(
    w: World, ends: type[Exception], how: str
) -> None:
    w.serve()

    def stop() -> None:
        raise ends

    async def leave() -> None:
        stop()

    class User(Quiet):
        begun = False

        @task
        async def talk(self) -> None:
            if not self.begun:
                self.begun = True
                if how == "task":
                    asyncio.create_task(leave())  # noqa: RUF006  # on purpose
                else:
                    asyncio.get_running_loop().call_soon(stop)
            await asyncio.sleep(0.001)

    w.live(User)
    assert bool(w.quits) == (ends is StopTest)
    assert w.failures() == {}


# Callbacks


async def soon(user: Any) -> None:
    asyncio.get_running_loop().call_soon(tick)


async def later(user: Any) -> None:
    asyncio.get_running_loop().call_later(0.001, tick)


async def at_a_time(user: Any) -> None:
    loop = asyncio.get_running_loop()
    loop.call_at(loop.time() + 0.001, tick)


async def as_from_a_thread(user: Any) -> None:
    asyncio.get_running_loop().call_soon_threadsafe(tick)


async def partly(user: Any) -> None:
    asyncio.get_running_loop().call_soon(functools.partial(tick, 1))


async def at_the_end_of_a_task(user: Any) -> None:
    user.reader = asyncio.create_task(asyncio.sleep(0))
    user.reader.add_done_callback(tick)


async def at_an_answer(user: Any) -> None:
    answer = user.round_trip("hello")
    answer.add_done_callback(tick)
    await answer


CALLBACKS = [soon, later, at_a_time, as_from_a_thread, partly, at_the_end_of_a_task, at_an_answer]


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(5)], ids=["closed", "open"])
@pytest.mark.parametrize("way", CALLBACKS)
def test_an_exception_in_a_callback_is_a_failure_of_it(w: World, way: Body, wait_time: Any) -> None:
    w.serve()
    live(w, way, wait_time=wait_time)
    assert w.failures() == {"callback tick: KeyError": 1}
    assert [type(error) for error in w.reported] == [KeyError]


def test_a_callback_that_is_no_python_code_has_no_name(w: World) -> None:
    w.serve()

    async def pop(user: Any) -> None:
        asyncio.get_running_loop().call_soon({}.pop, "nothing")

    live(w, pop)
    assert w.failures() == {"callback: KeyError": 1}


def test_a_mistake_and_a_failure_of_wsloads_own_calls_as_callbacks(w: World) -> None:
    w.serve()

    async def call(user: Any) -> None:
        await user.close()
        asyncio.get_running_loop().call_soon(user.send_nowait, "too late")
        asyncio.get_running_loop().call_soon(user.count, "lost")

    live(w, call)
    assert w.failures() == {"message: not connected": 1, "callback count: UsageError": 1}


def bug_of_wsloads_own() -> Callable[[], None]:
    place: dict[str, Any] = {"__name__": "wsload.load.somewhere"}
    exec("def bug():\n    raise KeyError('odd')", place)
    found: Callable[[], None] = place["bug"]
    return found


def cancel() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("callback", [bug_of_wsloads_own(), cancel])
def test_what_is_no_users_is_only_told(w: World, callback: Callable[[], None]) -> None:
    w.serve()

    async def call(user: Any) -> None:
        asyncio.get_running_loop().call_soon(callback)

    live(w, call)
    assert w.failures() == {} and w.reported == []
    assert len(w.complaints) == 1
    w.complaints.clear()


def test_after_the_end_of_the_loop_nobody_is_told() -> None:
    found: list[str] = []

    def closed(*_: Any) -> None:
        raise RuntimeError("Event loop is closed")

    def scene() -> None:
        current_watch.set(Watch(lambda what, _: found.append(what)))
        assert told({"exception": KeyError("odd"), "handle": None}, closed)

    contextvars.copy_context().run(scene)
    assert found == []
