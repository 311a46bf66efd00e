"""Exceptions in a group, as an `asyncio.TaskGroup` raises them, are what they would be by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust import SequentialTaskSet, constant, task
from locust.exception import InterruptTaskSet, StopTest, StopUser
from world import Hooked, Quiet, World, mute

from wsload import MessageTimeout, NotConnected, UsageError, WorkloadError, constant_rate
from wsload.load.users.context.control_flow import CONTROL_FLOW, parts
from wsload.load.users.steps import UNFINISHED


async def all_at_once(*errors: BaseException) -> None:
    """Raises these, each in a task of its own."""

    async def fail(error: BaseException) -> None:
        raise error

    async with asyncio.TaskGroup() as group:
        for each in errors:
            group.create_task(fail(each))


errors = st.sampled_from([StopUser, StopTest, InterruptTaskSet, ValueError, UsageError]).map(
    lambda kind: kind()
) | st.just("timeout").map(MessageTimeout)
groups = st.recursive(
    errors, lambda some: st.lists(some, min_size=1).map(lambda each: ExceptionGroup("", each))
)


def leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, ExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


@given(groups)
def test_of_a_group_nothing_is_left_out_and_what_decides_comes_last(error: BaseException) -> None:
    found = parts(error)
    assert sorted(map(id, found)) == sorted(map(id, leaves(error)))
    order = [2 if isinstance(each, CONTROL_FLOW) else not isinstance(each, WorkloadError) for each in found]
    assert order == sorted(order)


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(50)], ids=["closed", "open"])
def test_requests_that_fail_in_a_group_are_counted_once_each(w: World, wait_time: Any) -> None:
    w.serve(mute)

    class User(Quiet):
        done = False

        def key_of(self, message: Any) -> Any:
            return message

        async def ask(self, key: str) -> None:
            await self.request(key, key=key, timeout=0.02)

        @task
        async def both(self) -> None:
            if self.done:
                raise StopUser
            self.done = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self.ask("a"))
                group.create_task(self.ask("b"))

    User.wait_time = wait_time
    w.live(User)
    failures = w.failures()
    assert failures.pop("message: unanswered at the end", 0) <= 1
    assert failures.keys() == {"message: timeout"} and 1 <= failures["message: timeout"] <= 2
    assert w.reported == []


WHERE = ["on_opening", "on_connect", "on_start", "task", "due task", "TaskSet", "measure", "on_stop"]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("way", [StopUser, StopTest])
def test_a_way_out_is_one_from_within_a_group_too(w: World, where: str, way: type[Exception]) -> None:
    """And what failed beside it is counted."""
    w.serve()
    stopped: list[bool] = []

    async def leave(here: str) -> None:
        if here == where:
            await all_at_once(MessageTimeout("timeout"), way(), ValueError("a bug"))

    class Tasks(SequentialTaskSet):
        @task
        async def talk(self) -> None:
            await leave("TaskSet")

    class User(Hooked):
        async def at(self, where: str) -> None:
            if where == "on_stop":
                stopped.append(True)
            await leave(where)

        @task
        async def talk(self) -> None:
            await leave("task")
            await leave("due task")
            if where == "measure":
                with self.measure("step"):
                    await leave("measure")
            raise StopUser

    if where == "TaskSet":
        User.tasks = [Tasks]
    if where == "due task":
        User.wait_time = constant_rate(50)
    w.live(User)
    name = {"task": "task talk", "due task": "task talk", "TaskSet": "task talk", "measure": "task talk"}
    assert w.failures() == {f"{name.get(where, where)}: ValueError": 1}
    assert bool(w.quits) == (way is StopTest)
    assert stopped == ([] if where in ("on_opening", "on_connect") else [True])
    assert w.counter(f"step: {UNFINISHED}") == (where == "measure")
    assert w.counter("users_ended") == 0


def test_on_start_is_tried_again_where_only_requests_failed(w: World) -> None:
    w.serve()
    starts: list[int] = []

    class User(Quiet):
        async def on_start(self) -> None:
            starts.append(1)
            if len(starts) < 3:
                await all_at_once(MessageTimeout("timeout"), NotConnected("not connected"))

        @task
        async def talk(self) -> None:
            raise StopUser

    w.live(User)
    assert len(starts) == 3 and w.failures() == {} and w.reported == []


def test_several_bugs_are_counted_each_by_its_kind(w: World) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            self._life.stop()
            with self.measure("step"):
                await all_at_once(ValueError("a bug"), MessageTimeout("timeout"), KeyError("another"))

    w.live(User)
    failures = w.failures()
    assert failures.pop("step: KeyError") == 1  # a step is one figure, and fails once
    assert failures == {"task talk: ValueError": 1, "task talk: KeyError": 1}
    assert sorted(type(each).__name__ for each in w.reported) == ["KeyError", "ValueError"]


def test_a_step_fails_like_the_request_in_it(w: World) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            self._life.stop()
            with self.measure("step"):
                await all_at_once(MessageTimeout("timeout", "no answer"))

    w.live(User)
    assert w.failures() == {"step: timeout": 1}
