"""Checks a user class when it is defined, so that nothing is refused during a run.

Raises `ClassError`, which names the class, the mistake and the remedy.
"""

from __future__ import annotations

import inspect
from typing import Any

from locust import MarkovTaskSet, TaskSet, User

from wsload.errors import ClassError
from wsload.load.users.waits import OpenWait

ASYNC_HOOKS = ("on_start", "on_stop", "on_opening", "on_connect")
PLAIN_HOOKS = ("on_close", "on_error", "on_message", "key_of")


def check_class(cls: Any) -> None:
    """Checks that tasks and hooks are async or not, as required, and that no task hides a method of wsload."""
    for hook in ASYNC_HOOKS:
        _check_async(cls, hook, getattr(cls, hook))
    for hook in PLAIN_HOOKS:
        if inspect.iscoroutinefunction(getattr(cls, hook)):
            raise ClassError(f"{cls.__name__}: {hook} must not be async, since it is called for every event")
    if not isinstance(cls.url, str):
        raise ClassError(f"{cls.__name__}: url must be a URL or a path, not {cls.url!r}")
    ours = [base for base in cls.__mro__ if base is User or base.__module__.startswith("wsload.")]
    for task in cls.tasks:
        name = getattr(task, "__name__", repr(task))
        if any(name in vars(base) for base in ours):
            raise ClassError(f"{cls.__name__}: the task {name} would hide wsload's own {name}(): rename it")
    _check_tasks(cls, cls)


def _check_tasks(cls: Any, holder: Any) -> None:
    for task in holder.tasks:
        name = getattr(task, "__name__", repr(task))
        if not inspect.isclass(task):
            _check_async(cls, name, task, "the task ")
        elif issubclass(task, MarkovTaskSet):
            raise ClassError(
                f"{cls.__name__}: {name} is a MarkovTaskSet, which wsload can't run: "
                "use a TaskSet or SequentialTaskSet"
            )
        elif issubclass(task, TaskSet):
            _check_wait_time(cls, task)
            _check_tasks(cls, task)
        else:
            raise ClassError(f"{cls.__name__}: the task {name} is a class, but not a TaskSet")


def _check_wait_time(cls: type, task_set: Any) -> None:
    if isinstance(task_set.wait_time, OpenWait):
        raise ClassError(
            f"{cls.__name__}: wait_time = {task_set.wait_time} is for users, not for the TaskSet "
            f"{task_set.__name__}: set it on {cls.__name__}, and it holds in all its TaskSets"
        )
    if isinstance(getattr(cls, "wait_time", None), OpenWait) and task_set.wait_time is not TaskSet.wait_time:
        raise ClassError(
            f"{cls.__name__}: the wait_time of the TaskSet {task_set.__name__} would have no effect, since "
            f"wait_time = {cls.wait_time} says when tasks are due: leave it out"  # type: ignore[attr-defined]
        )


def _check_async(cls: type, name: str, function: Any, what: str = "") -> None:
    if not inspect.iscoroutinefunction(function):
        raise ClassError(f"{cls.__name__}: {what}{name} must be 'async def'")
