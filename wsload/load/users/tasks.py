"""Chooses a user's next task: its own tasks by weight, and Locust's TaskSets with async tasks, nested or not."""

from __future__ import annotations

import inspect
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from locust import task as locusts_task

from wsload.errors import UsageError
from wsload.load.users.locust_compat import next_task

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

    __slots__ = ("_user", "only", "sets")

    def __init__(self, user: Any) -> None:
        self._user = user
        self.sets: list[Any] = []
        single = len(user.tasks) == 1 and not inspect.isclass(user.tasks[0])
        self.only: Callable[[Any], Awaitable[object]] | None = user.tasks[0] if single else None
        """The only task, unless it is a TaskSet: then nothing has to be chosen."""

    async def next(self) -> tuple[Callable[[Any], Awaitable[object]], Any]:
        """The next task and its argument; enters TaskSets as needed.

        Raises `InterruptTaskSet` if a TaskSet's ``on_start`` interrupts it.
        """
        while True:
            holder = self.sets[-1] if self.sets else self._user
            if not holder.tasks:
                raise UsageError(f"{type(holder).__name__} has no tasks: mark async methods with @task")
            chosen = next_task(holder) if self.sets else random.choice(holder.tasks)
            if not inspect.isclass(chosen):
                function: Any = chosen
                return function, holder
            entered: Any = chosen
            self.sets.append(entered(holder))
            await _awaited(self.sets[-1].on_start())

    async def leave(self) -> None:
        """Leaves the innermost TaskSet, after its ``interrupt()``. Raises `UsageError` if there is none."""
        if not self.sets:
            raise UsageError("interrupt() is for tasks of a TaskSet: raise StopUser to end the user")
        await _awaited(self.sets.pop().on_stop())

    async def leave_all(self) -> None:
        """Leaves every TaskSet, at the user's end."""
        while self.sets:
            await self.leave()


async def _awaited(found: Any) -> None:
    if inspect.isawaitable(found):
        await found
