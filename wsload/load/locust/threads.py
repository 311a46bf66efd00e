"""Real threads for blocking code of a user class: ``asyncio.to_thread``, ``loop.run_in_executor(None, …)``.

`concurrent.futures` uses ``threading`` and ``queue``, which gevent has replaced by greenlets of the calling
thread. On the loop's thread, where no hub runs, a job submitted to them would never return.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import gevent.monkey

MAX_THREADS: Final = 32
"""Further jobs wait for one to end. asyncio's own executor never has more threads, either."""

start_real_thread: Final = gevent.monkey.get_original("_thread", "start_new_thread")
"""Starts an operating system thread; Locust has replaced ``threading`` by greenlets."""

thread_id: Final = gevent.monkey.get_original("_thread", "get_ident")
"""The id of the running thread; ``threading`` now returns that of the greenlet."""


class RealThreadPool(ThreadPoolExecutor):
    """A loop's default executor, on real threads that never keep the process from exiting.

    Call `submit` on the loop's thread only. It returns a future of asyncio, since those of `concurrent.futures` use
    locks that gevent has replaced.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs = gevent.monkey.get_original("queue", "SimpleQueue")()
        self._threads_started = 0
        self._unfinished = 0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._unfinished += 1
        self._jobs.put((future, partial(function, *args, **kwargs)))
        if self._threads_started < min(self._unfinished, MAX_THREADS):
            self._threads_started += 1
            start_real_thread(self._work, ())
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Ends the idle threads; the others are not waited for."""
        for _ in range(self._threads_started):
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            future, call = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except StopIteration:
                error = RuntimeError("StopIteration can't be raised into a coroutine")
            except BaseException as raised:
                error = raised
            del job, call
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._finish, future, result, error)

    def _finish(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self._unfinished -= 1
        if future.done():
            return  # it was cancelled
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
