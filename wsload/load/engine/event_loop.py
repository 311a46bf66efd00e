"""A uvloop with what belongs to it alone: the body of its thread, its timers, its heartbeat and its queue of turns.

A process has one. Each of its engines records for itself on it: usually there is one engine, and two when both sides
of a comparison are loaded at the same time.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable
from typing import Any, Final

import uvloop

from wsload.load.engine.compat import counted_already
from wsload.load.engine.heartbeat import Heartbeat
from wsload.load.engine.timers import TimerQueue
from wsload.load.engine.watched import make_task, told
from wsload.measure.recorder import Recorder

STOPPED: Final = "loop.stop() was called and ignored: the event loop runs until the process ends"


class EventLoop:
    """`call` and `stop` may be called from any thread, all other methods only from the loop's."""

    def __init__(self) -> None:
        self.loop: Final[asyncio.AbstractEventLoop] = uvloop.new_event_loop()
        self.loop.set_task_factory(make_task)
        self.timers: Final = TimerQueue(self.loop)
        self._heartbeat: Heartbeat | None = None
        self._queue: collections.deque[Callable[[], object]] = collections.deque()
        self._ended = False

    # From other threads

    def run(self, on_error: Callable[[dict[str, Any]], None]) -> None:
        """Runs the loop until `stop`; ``on_error`` gets the context of exceptions that nobody caught.

        This includes `SystemExit`: a task that calls ``sys.exit`` does not end the loop, nor does one that stops it. A
        user's background tasks and callbacks are left out: see `wsload.load.engine.watched`.
        """

        def uncaught(_: object, context: dict[str, Any]) -> None:
            if not counted_already(context) and not told(context, self.call):
                on_error(context)

        self.loop.set_exception_handler(uncaught)
        asyncio.set_event_loop(self.loop)
        try:
            while not self._ended:
                self._run_until_stopped(on_error)
        finally:
            self.timers.close()
            self.loop.close()

    def _run_until_stopped(self, on_error: Callable[[dict[str, Any]], None]) -> None:
        """Returns when `stop`, or something that asyncio lets through, has ended the loop."""
        try:
            self.loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            on_error({"message": "an exit was asked for", "exception": error})
        else:
            if not self._ended:
                on_error({"message": STOPPED})

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Calls the function on the loop's thread, soon."""
        self.loop.call_soon_threadsafe(function, *args)

    def stop(self) -> None:
        """Ends `run`."""
        self.loop.call_soon_threadsafe(self._end_run)

    # On the loop's thread

    def _end_run(self) -> None:
        self._ended = True
        self.loop.stop()

    def beat_for(self, recorder: Recorder) -> None:
        """Records the heartbeat there too, until `no_beat_for`."""
        if self._heartbeat is None:
            self._heartbeat = Heartbeat(self.loop, self.timers)
        self._heartbeat.join(recorder)

    def no_beat_for(self, recorder: Recorder) -> None:
        """Stops recording the heartbeat in this recorder; a beat that is overdue is still recorded."""
        if self._heartbeat is not None and self._heartbeat.leave(recorder):
            self._heartbeat = None

    def in_turn(self, action: Callable[[], object]) -> None:
        """Calls the action in its own iteration of the loop, first come, first served.

        When thousands of users act at once, the sockets are served between any two of them. Otherwise a
        message would wait for all of them, and be timed as slow.
        """
        self._queue.append(action)
        if len(self._queue) == 1:
            self.loop.call_soon(self._next_in_turn)

    async def own_turn(self) -> None:
        """Returns when it is the caller's turn: see `in_turn`."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self.in_turn(lambda: None if waiter.done() else waiter.set_result(None))
        await waiter

    def _next_in_turn(self) -> None:
        try:
            self._queue[0]()
        finally:
            self._queue.popleft()
            if self._queue:
                self.loop.call_soon(self._next_in_turn)
