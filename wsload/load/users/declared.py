"""What a user class may declare, checked when the class is made: nothing is refused in mid-run.

All raise `TypeError` naming the class, what is wrong and what is wanted instead.
"""

from __future__ import annotations

import inspect
from typing import Any

from locust import User


def check_tasks(cls: Any) -> None:
    """Tasks are coroutine functions, under names of their own."""
    for task in cls.tasks:
        name = getattr(task, "__name__", repr(task))
        if inspect.isclass(task):
            raise TypeError(
                f"{cls.__name__}: the task {name} is a class: TaskSets are not supported, "
                "use async methods with @task(weight)"
            )
        check_async(cls, name, task, "the task ")
        ours = (base for base in cls.__mro__ if base is User or base.__module__.startswith("wsload."))
        if any(name in vars(base) for base in ours):
            raise TypeError(f"{cls.__name__}: the task {name} hides wsload's own {name}: name it otherwise")


def check_async(cls: type, name: str, function: Any, what: str = "") -> None:
    """It is awaited."""
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{cls.__name__}: {what}{name} must be 'async def'")


def check_plain(cls: type, hook: str) -> None:
    """The hook is called for every event, and never awaited."""
    if inspect.iscoroutinefunction(getattr(cls, hook)):
        raise TypeError(f"{cls.__name__}: {hook} is called for every event: a plain 'def', not async")
