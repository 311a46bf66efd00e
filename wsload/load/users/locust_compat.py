"""What wsload uses of Locust's users and TaskSets without their documentation promising it.

Each item has a canary in tests/unit/test_compat_users.py, which names the version when a release changes it.
"""

from __future__ import annotations

from operator import methodcaller
from time import perf_counter
from typing import Any, Final, NoReturn

from locust import TaskSet, User
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING

from wsload.errors import UsageError
from wsload.load.locust.handle import UserHandle

SINGLE_USER_S: Final = 10.0
"""How long the user of ``run_single_user`` may take to end after Ctrl-C."""

next_task: Final = methodcaller("get_next_task")
"""The task that a TaskSet has chosen to run next, if none was scheduled."""


def scheduled_task(task_set: Any) -> Any:
    """Takes the first of the tasks that were given to ``schedule_task``; None if there is none."""
    queue = task_set._task_queue
    if not queue:
        return None
    scheduled = queue.popleft()
    # As in Locust, it may be a bound method; the others are called with their TaskSet.
    return scheduled.__func__ if getattr(scheduled, "__self__", None) is task_set else scheduled


def wait_time_text(wait: Any) -> str:
    """A wait time as in the source: ``between(max_wait=2, min_wait=1)``, ``Guest.wait_time``.

    Locust's makers, such as `between`, return a function that keeps their arguments in its closure.
    """
    *makers, own = getattr(wait, "__qualname__", type(wait).__name__).split(".<locals>.")
    name = makers[-1] if makers else own
    code, cells = getattr(wait, "__code__", None), getattr(wait, "__closure__", None)
    if code is None or not cells:
        return name
    values = {key: cell.cell_contents for key, cell in zip(code.co_freevars, cells, strict=True)}
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in values.items())})"


def restart_pacing(user: Any) -> None:
    """Makes `constant_pacing` and `constant_throughput` count from now, as for a user that was just created.

    Their first wait counts from the user's creation, and Locust creates a second's worth of users at once.
    """
    user._cp_last_run, user._cp_last_wait_time = perf_counter(), 0


def new_task_set(task_set: Any, parent: Any) -> Any:
    """A TaskSet that a user enters; its ``wait()`` is refused, unless the class has one of its own."""
    made = task_set(parent)
    if task_set.wait is TaskSet.wait:
        made.wait = _refuse_wait
    return made


def _refuse_wait() -> NoReturn:
    raise UsageError("wait() would stop every user of the process: use await asyncio.sleep(...)")


class LocustUser(User):
    """A user as Locust's runners treat it, on the hub, but with a handle instead of a greenlet.

    ``_greenlet`` and ``_group`` back ``User.greenlet`` and ``User.group``. Of a group's members gevent only uses
    ``rawlink``, ``dead`` and ``kill``, and Locust ``args`` and ``name``.
    """

    abstract = True
    __slots__ = ()

    # For subclasses

    def _begin(self) -> UserHandle:
        """Starts the user."""
        raise NotImplementedError

    def _stop_soon(self) -> None:
        """Has the user end after the task that it is running."""

    def _single_user_ended(self) -> None:
        """Called when the user of ``run_single_user`` has ended."""

    # Called by tasks, although Locust's are not async

    def wait(self) -> NoReturn:
        """Refused with a `UsageError`: Locust's would sleep on the thread of all users."""
        _refuse_wait()

    # Called by Locust

    def start(self, group: Any) -> UserHandle:
        """Called by Locust: starts the user and adds it to the group."""
        handle = self._begun()
        self._group, self._greenlet = group, handle
        group.add(handle)
        return handle

    def run(self) -> None:  # type: ignore[misc]  # final for type checkers only: PytestUser overrides it too
        """Runs the user to its end while the calling greenlet waits; called by Locust's ``run_single_user``."""
        handle = self._begun()
        try:
            while not handle.dead:
                # Without a timer gevent would raise an error, since nothing else on the hub could end the wait.
                handle.join(timeout=1)
        finally:
            handle.kill(timeout=SINGLE_USER_S)  # after Ctrl-C
            self._single_user_ended()

    def stop(self, force: bool = False) -> bool:
        """Called by Locust: lets the running task finish; returns whether the user ended at once."""
        if force:
            handle: Any = self._greenlet
            self._group.killone(handle)
            handle.join()  # the group does not wait for a user that it has told before, in a ramp-down
            return True
        # Locust then waits for the user without asking it to stop again.
        self._state = LOCUST_STATE_STOPPING
        self._stop_soon()
        return False

    def _begun(self) -> UserHandle:
        # Locust refuses to stop a user in an unknown state.
        self._state = LOCUST_STATE_RUNNING
        return self._begin()
