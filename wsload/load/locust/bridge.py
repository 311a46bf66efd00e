"""The seam between gevent's hub and the engine's thread: the only file that knows both.

Into the loop: `Engine.call`. Back to the hub: two lanes of jobs, and one gevent ``async`` watcher whose
``send`` is the only gevent call ever made off the hub's thread. What the run depends on (completions,
intervals, log records) has its own lane, which runs no user code: a listener of Locust's events that blocks,
or that ends the run, only holds up the other lane.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, Final

import gevent.event

from wsload.load.engine.engine import Engine
from wsload.load.locust.compat import give_logging_real_locks, waker
from wsload.load.locust.lane import Lane
from wsload.load.locust.loop_thread import LoopThread

LISTENERS_TIMEOUT_S: Final = 3.0
"""How long listeners of Locust's events are waited for."""
ANSWER_TIMEOUT_S: Final = 5.0
"""A loop that has not answered within this time is taken to be blocked."""
HAND_ON_TIMEOUT_S: Final = 60.0


class Completion(gevent.event.Event):  # type: ignore[misc]  # gevent has no types
    """The outcome of a coroutine, for which greenlets can wait."""

    __slots__ = ("error", "result", "task")

    def __init__(self) -> None:
        super().__init__()
        self.task: asyncio.Task[Any] | None = None
        self.result: Any = None
        self.error: BaseException | None = None

    def get(self, timeout_s: float | None = None) -> Any:
        """Waits for the result. Raises the coroutine's exception, or `TimeoutError`."""
        if not self.wait(timeout_s):
            raise TimeoutError("the engine did not answer in time")
        if self.error is not None:
            raise self.error
        return self.result

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Sets the outcome. On the hub's thread."""
        self.result, self.error = result, error
        self.set()


class Bridge:
    """Carries jobs between the hub and an `Engine`, whose event loop runs in a real thread.

    Create it on the hub's thread, after any fork.
    """

    def __init__(self, on_log: Callable[[str], None], *, beside: Bridge | None = None) -> None:
        """``beside`` is another one whose event loop this engine shares."""
        give_logging_real_locks()  # user classes log on the loop's thread, and in threads of their own
        self._on_log = on_log
        self.on_exit: Callable[[BaseException], object] = lambda _: None
        """Called on the hub after ``sys.exit`` on the loop's thread."""
        self._jobs = Lane(on_log)
        self.listeners: Final = Lane(on_log)
        self._wake_hub: Final = waker(self._wake)
        self.thread: LoopThread
        if beside is None:
            self.thread = LoopThread(self._on_loop_error, on_broken=lambda text: self.to_hub(on_log, text))
        else:
            self.thread = beside.thread
        self.engine: Final = Engine(on=self.thread.event_loop)

    def _on_loop_error(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, SystemExit | KeyboardInterrupt):
            self.to_hub(self.on_exit, error)
            return
        lines = "".join(traceback.format_exception(error)) if error else ""
        self.to_hub(self._on_log, f"{context.get('message')}\n{lines}".strip())

    def _wake(self) -> None:
        self._jobs.wake()
        self.listeners.wake()

    # From any thread

    def to_hub(self, job: Callable[..., object], *args: Any) -> None:
        """Calls the job on the hub's thread soon, in order. The job must not run user code."""
        self._jobs.add(job, *args)
        self._wake_hub()

    def to_listeners(self, job: Callable[..., object], *args: Any) -> None:
        """The same, for jobs that call listeners of Locust's events or may block otherwise."""
        self.listeners.add(job, *args)
        self._wake_hub()

    # From the hub's thread

    def submit(self, coroutine: Coroutine[Any, Any, Any], completion: Completion) -> Completion:
        """Runs the coroutine on the loop; greenlets may wait for its completion."""
        self.engine.call(self._start, coroutine, completion)
        return completion

    def ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls the function on the loop's thread and blocks the greenlet until it has returned."""
        return self.submit(_called(function, *args), Completion()).get(timeout_s=60)

    def end_recording(self, *, blocked: bool) -> bool:
        """Ends the engine's recording; returns once all snapshots were processed.

        If the loop is ``blocked`` or does not answer, its last snapshot is taken on this thread. Returns whether all
        listeners have returned within `LISTENERS_TIMEOUT_S`.
        """
        ended = self.submit(_called(self.engine.end), Completion())
        if not ended.wait(0 if blocked else ANSWER_TIMEOUT_S):
            self.engine.take_last_snapshot()
        self._jobs.settle(HAND_ON_TIMEOUT_S)
        return self.listeners.settle(LISTENERS_TIMEOUT_S)

    def _start(self, coroutine: Coroutine[Any, Any, Any], completion: Completion) -> None:
        completion.task = self.engine.loop.create_task(coroutine)
        completion.task.add_done_callback(lambda task: self._finished(task, completion))

    def _finished(self, task: asyncio.Task[Any], completion: Completion) -> None:
        completion.task = None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self.to_hub(completion.finish, None if error else task.result(), error)


async def _called(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)
