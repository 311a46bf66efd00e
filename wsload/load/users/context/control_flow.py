"""Exceptions that leave a task, a user or a run, and those that are a user class's own."""

from __future__ import annotations

import asyncio
from typing import Final

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from wsload.errors import WorkloadError

STOPS: Final = (StopUser, StopTest, SystemExit, KeyboardInterrupt)
"""Exceptions that end a user or a run."""
CONTROL_FLOW: Final = (*STOPS, InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately)
"""Exceptions that leave a task, a user or a run; they are not failures."""


def parts(error: BaseException) -> list[BaseException]:
    """The exceptions in a group (as an `asyncio.TaskGroup` raises it), or this one alone; the last one decides.

    Sorted: `WorkloadError` first, which were counted already; then the user class's own; then `CONTROL_FLOW`.
    """
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    found = (part for each in error.exceptions for part in parts(each))
    return sorted(
        found, key=lambda each: (isinstance(each, CONTROL_FLOW), not isinstance(each, WorkloadError))
    )


def of_user_class(error: BaseException) -> bool:
    """Whether code of the user class raised this, rather than the end of the user's task or of the loop.

    An `asyncio.CancelledError` is the user class's own if the class awaited something that it had cancelled itself.
    """
    if not isinstance(error, asyncio.CancelledError | GeneratorExit):
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # the loop has ended, and the coroutine is being closed
    return task is None or not task.cancelling()
