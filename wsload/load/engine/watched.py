"""Exceptions in background tasks and in callbacks of user classes, which nobody handles: whose they are.

What begins in a user's context, or in a copy of it, is that user's. asyncio tells of an exception in a task only when
the task is freed and nobody has retrieved it, so tasks that are still referred to are looked at when their user leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from wsload.errors import WsloadError
from wsload.load.engine.compat import never_retrieved

LIBRARIES: Final = ("asyncio", "uvloop")
"""What calls callbacks."""


class Watch:
    """Watches over the tasks and callbacks of one user."""

    __slots__ = ("_tasks", "tell")

    def __init__(self, tell: Callable[[str, BaseException], object]) -> None:
        self.tell: Final = tell
        """Called on the loop with what raised an exception (``task read``), and with the exception."""
        self._tasks: weakref.WeakSet[WatchedTask] | None = None  # created when needed

    def add(self, task: WatchedTask) -> None:
        """A task has begun."""
        if self._tasks is None:
            self._tasks = weakref.WeakSet()
        self._tasks.add(task)

    def look(self) -> None:
        """Tells of the tasks that have failed by now, if nobody has retrieved their exceptions."""
        for task in list(self._tasks or ()):
            if never_retrieved(task) and (error := task.exception()) is not None:
                self.tell(task.what, error)


current_watch: ContextVar[Watch | None] = ContextVar("current_watch", default=None)
"""That of the user to whom this context belongs."""


class WatchedTask(asyncio.Task[Any]):
    """A task that has begun in a user's context."""

    watch: Watch

    @property
    def what(self) -> str:
        """What its failure is counted under: ``task read``."""
        return f"task {getattr(self.get_coro(), '__name__', 'in the background')}"


def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **settings: Any) -> asyncio.Task[Any]:
    """The event loop's task factory."""
    context = settings.get("context")
    watch = current_watch.get() if context is None else context.get(current_watch)
    if watch is None:
        return asyncio.Task(coroutine, loop=loop, **settings)
    task = WatchedTask(coroutine, loop=loop, **settings)
    task.watch = watch
    watch.add(task)
    return task


def told(context: Mapping[str, Any], call: Callable[..., object]) -> bool:
    """Tells the user whose exception this is, if it is a user's; returns whether it is.

    ``context`` is what the loop's exception handler gets, on any thread; ``call`` calls a function on the loop. Of a
    callback's exception the handler is told in the callback's context: by uvloop, and by asyncio since CPython 3.12.
    """
    error, future = context.get("exception"), context.get("future")
    watch: Watch | None = None
    what = ""
    if isinstance(future, WatchedTask):
        watch, what = future.watch, future.what
    elif "handle" in context and error is not None and not isinstance(error, asyncio.CancelledError):
        watch, what = current_watch.get(), _callback(error)
    if watch is None or error is None or not what:
        return False
    with contextlib.suppress(RuntimeError):  # the loop is closed
        call(watch.tell, what, error)
    return True


def _callback(error: BaseException) -> str:
    """What the failure of a callback is counted under; empty for one of wsload's own, which has a bug."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in LIBRARIES:
            ours = module.startswith("wsload.") and not isinstance(error, WsloadError)
            return "" if ours else f"callback {frame.f_code.co_name}"
    return "callback"
