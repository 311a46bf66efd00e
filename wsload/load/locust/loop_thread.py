"""The real thread on which a process's event loop runs."""

from __future__ import annotations

import atexit
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import gevent
import gevent.monkey

from wsload.errors import UsageError
from wsload.load.engine.event_loop import EventLoop
from wsload.load.locust.blocked import stack_of_greenlet, stack_of_thread
from wsload.load.locust.compat import forget_hub, refuse_greenlets
from wsload.load.locust.exit import leave_at_once
from wsload.load.locust.threads import RealThreadPool, start_real_thread, thread_id

SWITCH_INTERVAL_S: Final = 1e-4
"""With Python's default of 5 ms a busy hub adds 90 to 170 ms to the loop's p99; with this, 2 to 3 ms."""
END_TIMEOUT_S: Final = 2.0
NO_GREENLETS: Final = (
    "a greenlet or a threading.Thread that a task or hook starts would never run: "
    "use asyncio.create_task, or asyncio.to_thread for blocking calls"
)
NO_TIMEOUTS: Final = "a gevent.Timeout in a task or hook would never end an await: use asyncio.timeout"


class LoopThread:
    """Runs an event loop in a real thread, to the end of the process.

    Create it on the hub's thread, after any fork, which threads don't survive.
    """

    def __init__(
        self, on_error: Callable[[dict[str, Any]], None], on_broken: Callable[[str], object]
    ) -> None:
        """``on_error`` gets the context of exceptions that nobody caught, and ``on_broken`` the traceback of one that
        ended the thread; both on that thread.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.event_loop: Final = EventLoop()
        self._on_error = on_error
        self._on_broken = on_broken
        self._thread, self._greenlet = 0, gevent.getcurrent()
        self.event_loop.loop.set_default_executor(RealThreadPool(self.event_loop.loop))
        self._running = gevent.monkey.get_original("_thread", "allocate_lock")()
        self._running.acquire()
        start_real_thread(self._run, ())
        atexit.register(self._end)

    def frames(self) -> list[FrameType]:
        """The stack of the loop's thread, innermost frame first; empty if the thread has ended. From any thread."""
        # A function that gevent has replaced (time.sleep) blocks by switching to a hub of its own thread.
        return stack_of_greenlet(self._greenlet) or stack_of_thread(self._thread)

    def _end(self) -> None:
        # A thread that still runs its loop during interpreter finalization crashes the process.
        self.event_loop.stop()
        if not self._running.acquire(timeout=END_TIMEOUT_S):
            leave_at_once()

    def _run(self) -> None:
        self._thread, self._greenlet = thread_id(), gevent.getcurrent()
        refuse_greenlets(lambda: UsageError(NO_GREENLETS), lambda: UsageError(NO_TIMEOUTS))
        try:
            self.event_loop.run(self._on_error)
        except BaseException:
            self._on_broken(traceback.format_exc())
        finally:
            forget_hub()
            self._running.release()
