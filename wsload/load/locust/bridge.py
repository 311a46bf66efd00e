"""The seam between gevent's hub and the engine's thread: the only file that knows both.

Into the loop: `Engine.call`. Back to the hub: two lanes of jobs, and one gevent ``async`` watcher whose
``send`` is the only gevent call ever made off the hub's thread. What the run depends on (completions,
intervals, log records) has its own lane, which runs no user code: a listener of Locust's events that blocks,
or that ends the run, only holds up the other lane.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import traceback
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final

import gevent
import gevent.event
import gevent.monkey

from wsload.errors import UsageError
from wsload.load.engine.loop import Engine
from wsload.load.locust.compat import forget_hub, give_logging_real_locks, refuse_greenlets
from wsload.load.locust.exit import leave_at_once
from wsload.load.locust.lane import Lane
from wsload.load.locust.stacks import stack_of_greenlet, stack_of_thread
from wsload.load.locust.threads import RealThreadPool, start_real_thread, thread_id

SWITCH_INTERVAL_S: Final = 1e-4
"""With Python's default of 5 ms a busy hub adds 90 to 170 ms to the loop's p99; with this, 2 to 3 ms."""
END_TIMEOUT_S: Final = 2.0
LISTENERS_TIMEOUT_S: Final = 3.0
"""How long listeners of Locust's events are waited for."""
ANSWER_TIMEOUT_S: Final = 5.0
"""A loop that has not answered within this time is taken to be blocked."""
HAND_ON_TIMEOUT_S: Final = 60.0
NO_GREENLETS: Final = (
    "a greenlet or a threading.Thread that a task or hook starts would never run: "
    "use asyncio.create_task, or asyncio.to_thread for what blocks"
)


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
    """Runs an `Engine` in a real thread, and carries jobs between it and the hub.

    Create it on the hub's thread, after any fork, which threads don't survive.
    """

    def __init__(self, on_log: Callable[[str], None]) -> None:
        give_logging_real_locks()  # user classes log on the loop's thread, and in threads of their own
        self._on_log = on_log
        self.on_exit: Callable[[BaseException], object] = lambda _: None
        """Called on the hub after ``sys.exit`` on the loop's thread."""
        self._jobs = Lane(on_log)
        self.listeners: Final = Lane(on_log)
        self._watcher = gevent.get_hub().loop.async_(ref=False)
        self._watcher.start(self._wake)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.engine: Final = Engine()
        self._thread, self._greenlet = 0, gevent.getcurrent()
        self.engine.loop.set_default_executor(RealThreadPool(self.engine.loop))
        self._running = gevent.monkey.get_original("_thread", "allocate_lock")()
        self._running.acquire()
        start_real_thread(self._run_engine, ())
        atexit.register(self._end)

    def _end(self) -> None:
        # A thread that still runs its loop during interpreter finalization crashes the process.
        self.engine.stop()
        if not self._running.acquire(timeout=END_TIMEOUT_S):
            leave_at_once()

    def _run_engine(self) -> None:
        self._thread, self._greenlet = thread_id(), gevent.getcurrent()
        refuse_greenlets(lambda: UsageError(NO_GREENLETS))
        try:
            self.engine.run(self._on_loop_error)
        except BaseException:
            self.to_hub(self._on_log, traceback.format_exc())
        finally:
            forget_hub()
            self._running.release()

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

    def frames(self) -> list[FrameType]:
        """The stack of the loop's thread, innermost frame first; empty if the thread has ended."""
        # A function that gevent has replaced (time.sleep) blocks by switching to a hub of its own thread.
        return stack_of_greenlet(self._greenlet) or stack_of_thread(self._thread)

    def to_hub(self, job: Callable[..., object], *args: Any) -> None:
        """Calls the job on the hub's thread soon, in order. The job must not run user code."""
        self._jobs.add(job, *args)
        self._watcher.send()

    def to_listeners(self, job: Callable[..., object], *args: Any) -> None:
        """The same, for jobs that call listeners of Locust's events or may block otherwise."""
        self.listeners.add(job, *args)
        self._watcher.send()

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
