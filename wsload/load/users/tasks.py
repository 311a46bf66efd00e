"""Chooses a user's next task: its own tasks by weight, and Locust's TaskSets with async tasks, nested or not."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, TypeVar, overload

from locust import task as locusts_task

from wsload.errors import UsageError
from wsload.load.users.context.control_flow import of_user_class
from wsload.load.users.locust_compat import new_task_set, next_task, scheduled_task

NO_DOOR: Final = nullcontext()
"""The `TaskStack.door` of users without TaskSets."""
F = TypeVar("F", bound=Callable[..., Awaitable[object]] | type)


@overload
def task(weight: F) -> F: ...
@overload
def task(weight: int = 1) -> Callable[[F], F]: ...
def task(weight: Any = 1) -> Any:
    """Locust's ``@task``, with the types of async tasks."""
    return locusts_task(weight)


class TaskStack:
    """The TaskSets that a user is in, innermost last; none while it runs the tasks of its own class."""

    __slots__ = ("_user", "door", "only", "sets")

    def __init__(self, user: Any) -> None:
        self._user = user
        self.sets: list[Any] = []
        single = len(user.tasks) == 1 and not inspect.isclass(user.tasks[0])
        self.only: Callable[[Any], Awaitable[object]] | None = user.tasks[0] if single else None
        """The only task, unless it is a TaskSet: then nothing has to be chosen."""
        self.door: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if any(map(inspect.isclass, user.tasks)) else NO_DOOR
        )
        """Held while a task is chosen and a TaskSet entered: no task begins before the ``on_start`` of its TaskSet
        has returned, also where tasks overlap."""

    @property
    def holder(self) -> Any:
        """The innermost TaskSet, or the user: has the tasks to choose from."""
        return self.sets[-1] if self.sets else self._user

    def choose(self, holder: Any) -> Any:
        """The next task of a holder: an async function, or a TaskSet to enter. Raises `UsageError` if it has none."""
        scheduled = None if holder is self._user else scheduled_task(holder)
        if scheduled is not None:
            return scheduled
        if not holder.tasks:
            raise UsageError(f"{type(holder).__name__} has no tasks: mark async methods with @task")
        return random.choice(holder.tasks) if holder is self._user else next_task(holder)

    async def enter(self, task_set: Any, holder: Any) -> None:
        """Enters a TaskSet, a task of the holder; if its ``on_start`` raises anything, it is not entered."""
        entered = new_task_set(task_set, holder)
        self.sets.append(entered)
        try:
            await _awaited(entered.on_start())
        except BaseException:
            self.sets = [each for each in self.sets if each is not entered]
            raise

    async def leave(self, holder: Any) -> None:
        """Leaves a TaskSet, with those inside it, after an ``interrupt()`` in it; does nothing if it was left before.

        What an ``on_stop`` raises is handled, and the next one is called. Raises `UsageError` for the user itself.
        """
        if holder is self._user:
            raise UsageError("interrupt() is for tasks of a TaskSet: raise StopUser to end the user")
        while any(each is holder for each in self.sets):
            left = self.sets.pop()
            try:
                await _awaited(left.on_stop())
            except BaseException as error:
                if not of_user_class(error):
                    raise
                self._user._raised(f"{type(left).__name__}.on_stop", error)

    async def leave_all(self) -> None:
        """Leaves every TaskSet, at the user's end."""
        if self.sets:
            await self.leave(self.sets[0])


async def _awaited(found: Any) -> None:
    if inspect.isawaitable(found):
        await found
