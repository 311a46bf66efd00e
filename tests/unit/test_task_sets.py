"""TaskSets: entered, interrupted and left as in Locust, also where the tasks of an open workload overlap."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from locust import MarkovTaskSet, SequentialTaskSet, TaskSet, constant, transition
from locust.exception import InterruptTaskSet, StopTest, StopUser
from world import World

from wsload import NotConnected, WebSocketUser, constant_rate, poisson_rate, task
from wsload.errors import ClassError


class Someone(WebSocketUser):
    abstract = True
    wait_time = constant(0)


WORKLOADS = pytest.mark.parametrize("wait_time", [constant(0), constant_rate(200)], ids=["closed", "open"])


# Interrupts


def test_tasks_that_overlap_interrupt_their_own_task_set_and_no_other(w: World) -> None:
    """Several are in the same set, and each interrupts it: it is left once, its parent stays."""
    w.serve()
    did: list[str] = []

    class Inner(TaskSet):
        async def on_start(self) -> None:
            self.user.rooms += 1

        async def on_stop(self) -> None:
            did.append("inner")

        @task
        async def talk(self) -> None:
            if self.user.rooms > 1:
                raise StopUser
            self.user.inside += 1
            await w.until(lambda: self.user.inside >= 3)
            self.interrupt()

    class Outer(TaskSet):
        tasks = [Inner]  # noqa: RUF012

        async def on_stop(self) -> None:
            did.append("outer")

    class User(Someone):
        tasks = [Outer]  # noqa: RUF012
        wait_time = constant_rate(200)
        rooms = inside = 0

    w.live(User)
    assert did == ["inner", "inner", "outer"], "the second one at the user's end"
    assert w.failures() == {} and w.counter("users_ended") == 0


def test_an_interrupt_leaves_the_task_sets_inside_as_well(w: World) -> None:
    w.serve()
    did: list[str] = []

    class Inner(TaskSet):
        async def on_start(self) -> None:
            self.user.deep.set()

        async def on_stop(self) -> None:
            did.append("inner")

        @task
        async def talk(self) -> None:
            await asyncio.Event().wait()

    class Outer(SequentialTaskSet):
        @task
        async def leaves(self) -> None:
            await self.user.deep.wait()
            self.interrupt()

        tasks = [Inner]  # noqa: RUF012

        async def on_stop(self) -> None:
            did.append("outer")
            self.user._life.stop(kill=True)

    class User(Someone):
        tasks = [Outer]  # noqa: RUF012
        wait_time = constant_rate(200)

        async def on_start(self) -> None:
            self.deep = asyncio.Event()

    w.live(User)
    assert did == ["inner", "outer"] and w.failures() == {}


@WORKLOADS
def test_an_interrupt_outside_of_a_task_set_ends_the_user_and_is_said(w: World, wait_time: Any) -> None:
    w.serve()

    class User(Someone):
        @task
        async def talk(self) -> None:
            raise InterruptTaskSet

    User.wait_time = wait_time
    w.live(User)
    assert w.failures() == {"user: UsageError": 1} and w.counter("users_ended") == 1
    assert "interrupt() is for tasks of a TaskSet" in w.texts[0]


@WORKLOADS
def test_no_task_of_a_set_begins_before_its_on_start_has_returned(w: World, wait_time: Any) -> None:
    w.serve()

    class Room(TaskSet):
        ready = False

        async def on_start(self) -> None:
            await asyncio.sleep(0.05)
            self.ready = True

        @task
        async def talk(self) -> None:
            assert self.ready
            raise StopUser

    class User(Someone):
        tasks = [Room]  # noqa: RUF012

    User.wait_time = wait_time
    w.live(User)
    assert w.failures() == {}


# Hooks that fail


@WORKLOADS
@pytest.mark.parametrize(
    ("raised", "failures"),
    [(ValueError("a bug"), {"Room.on_start: ValueError": 3}), (NotConnected("counted already"), {})],
    ids=["bug", "counted"],
)
def test_a_task_set_whose_on_start_fails_is_not_entered(
    w: World, wait_time: Any, raised: Exception, failures: dict[str, int]
) -> None:
    """Its parent chooses another task."""
    w.serve()
    did: list[str] = []

    class Room(TaskSet):
        async def on_start(self) -> None:
            did.append("in")
            raise raised

        async def on_stop(self) -> None:
            raise AssertionError("it was not entered")

        @task
        async def talk(self) -> None:
            raise AssertionError("it was not entered")

    class Outer(SequentialTaskSet):
        tasks = [Room, Room, Room]  # noqa: RUF012

        @task
        async def done(self) -> None:
            raise StopUser

        async def on_stop(self) -> None:
            did.append("out")

    class User(Someone):
        tasks = [Outer]  # noqa: RUF012

    User.wait_time = wait_time
    w.live(User)
    assert did == ["in", "in", "in", "out"] and w.failures() == failures


def test_a_task_set_may_be_interrupted_in_its_on_start(w: World) -> None:
    w.serve()

    class Room(TaskSet):
        async def on_start(self) -> None:
            self.interrupt()

        async def on_stop(self) -> None:
            raise AssertionError("it was not entered")

        @task
        async def talk(self) -> None:
            raise AssertionError("it was not entered")

    class Outer(SequentialTaskSet):
        tasks = [Room]  # noqa: RUF012

        @task
        async def done(self) -> None:
            raise StopUser

    w.live(type("User", (Someone,), {"tasks": [Outer]}))
    assert w.failures() == {}


@WORKLOADS
@pytest.mark.parametrize("way", ["interrupt", "end"])
@pytest.mark.parametrize(
    "raised",
    [ValueError("a bug"), StopUser(), StopTest("enough"), SystemExit(3)],
    ids=lambda e: type(e).__name__,
)
def test_an_on_stop_that_raises_keeps_no_other_from_being_called(
    w: World, wait_time: Any, way: str, raised: BaseException
) -> None:
    w.serve()
    did: list[str] = []

    class Inner(TaskSet):
        async def on_stop(self) -> None:
            did.append("inner")
            raise raised

        @task
        async def talk(self) -> None:
            if way == "interrupt":
                self.interrupt()
            raise StopUser

    class Outer(SequentialTaskSet):
        tasks = [Inner]  # noqa: RUF012

        @task
        async def done(self) -> None:
            raise StopUser

        async def on_stop(self) -> None:
            did.append("outer")

    class User(Someone):
        tasks = [Outer]  # noqa: RUF012

        async def on_stop(self) -> None:
            did.append("user")

    User.wait_time = wait_time
    w.live(User)
    assert did == ["inner", "outer", "user"]
    assert w.failures() == ({"Inner.on_stop: ValueError": 1} if isinstance(raised, ValueError) else {})
    assert bool(w.quits) == isinstance(raised, StopTest | SystemExit)
    assert w.counter("users_ended") == 0


@WORKLOADS
def test_a_task_set_without_tasks_is_named(w: World, wait_time: Any) -> None:
    w.serve()

    class Room(TaskSet):
        async def on_start(self) -> None:
            self.user._life.stop()

    class User(Someone):
        tasks = [Room]  # noqa: RUF012

    User.wait_time = wait_time
    w.live(User)
    assert w.failures() == {"task Room: UsageError": 1}
    assert w.texts == ["User, task Room: Room has no tasks: mark async methods with @task"]


# What Locust's TaskSets offer their tasks


def test_what_was_scheduled_comes_first(w: World) -> None:
    w.serve()
    did: list[str] = []

    class Corner(TaskSet):
        @task
        async def sit(self) -> None:
            did.append("sit")
            self.interrupt()

    async def function(task_set: Room) -> None:
        did.append(f"function of {type(task_set).__name__}")

    class Room(TaskSet):
        async def on_start(self) -> None:
            self.schedule_task(function)
            self.schedule_task(Corner)
            self.schedule_task(self.method, first=True)

        async def method(self) -> None:
            did.append("method")

        @task
        async def chosen(self) -> None:
            did.append("chosen")
            raise StopUser

    w.live(type("User", (Someone,), {"tasks": [Room]}))
    assert did == ["method", "function of Room", "sit", "chosen"] and w.failures() == {}


def test_wait_is_refused_where_it_is_called(w: World) -> None:
    """Locust's would sleep on the thread of all users."""
    w.serve()

    class Room(TaskSet):
        @task
        async def talk(self) -> None:
            self.wait()

        async def on_stop(self) -> None:
            self.user.wait()

    class Own(TaskSet):
        async def wait(self) -> None:  # type: ignore[override]
            await asyncio.sleep(0)

        @task
        async def talk(self) -> None:
            await self.wait()
            self.interrupt()

    class Outer(SequentialTaskSet):
        tasks = [Own, Room]  # noqa: RUF012

    class User(Someone):
        tasks = [Outer]  # noqa: RUF012

        def _report(self, what: str, error: BaseException) -> None:
            super()._report(what, error)
            self._life.stop()

    w.live(User)
    assert w.failures() == {"task talk: UsageError": 1, "Room.on_stop: UsageError": 1}
    assert all(text.endswith("use await asyncio.sleep(...)") for text in w.texts)


# What is refused


class Chain(MarkovTaskSet):
    @transition("other")
    async def one(self) -> None: ...

    @transition("one")
    async def other(self) -> None: ...


class Paced(TaskSet):
    wait_time = poisson_rate(20)

    @task
    async def talk(self) -> None: ...


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("task_set", "message"),
    [
        (Chain, "User: Chain is a MarkovTaskSet, which wsload can't run: use a TaskSet or SequentialTaskSet"),
        (
            Paced,
            "User: wait_time = poisson_rate(20) is for users, not for the TaskSet Paced: set it on User, "
            "and it holds in all its TaskSets",
        ),
    ],
)
def test_a_task_set_that_can_not_be_is_refused_where_its_user_is_defined(
    task_set: type[TaskSet], message: str, nested: bool
) -> None:
    outer: Any = type("Outer", (TaskSet,), {"tasks": [task_set]}) if nested else task_set
    with pytest.raises(ClassError) as refused:
        type("User", (Someone,), {"tasks": [outer]})
    assert str(refused.value) == message


@pytest.mark.parametrize("nested", [False, True])
def test_a_wait_time_that_an_open_workload_would_ignore_is_refused(nested: bool) -> None:
    async def ask(_: Any) -> None: ...

    waiting: Any = type("Room", (TaskSet,), {"tasks": [ask], "wait_time": constant(1)})
    tasks = [type("Hall", (TaskSet,), {"tasks": [waiting]}) if nested else waiting]
    type("Closed", (WebSocketUser,), {"tasks": tasks, "wait_time": constant(1)})
    with pytest.raises(ClassError, match="TaskSet Room would have no effect"):
        type("Open", (WebSocketUser,), {"tasks": tasks, "wait_time": constant_rate(1)})
