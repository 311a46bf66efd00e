"""Exceptions that leave a task, a user or a run, and those that are a user class's own."""

from __future__ import annotations

import asyncio
from typing import Final

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

WAYS_OUT: Final = (
    *(StopUser, StopTest, SystemExit, KeyboardInterrupt),
    *(InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately),
)
"""Exceptions that leave a task, a user or a run; they are not failures."""


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
