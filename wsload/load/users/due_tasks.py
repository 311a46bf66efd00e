"""An open workload: a user's tasks start when they are due, whatever happens to earlier ones."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final

from wsload.load.engine.watched import current_watch
from wsload.load.users.context.here import Due, current_due, this_task
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.turns import Turns
from wsload.measure.names import TOO_LATE, TOO_MANY, WAITED

GRACE_NS: Final = 50_000_000
"""Tasks that were due less than this before their user was stopped are not counted as missed."""
PER_TURN: Final = 1_000
"""At most this many tasks of a user start in one iteration of the loop."""
OVERDUE_NS: Final = 2_000_000_000
"""Remaining tasks that are overdue by more than this are counted as missed, and not started."""
_now_ns = time.monotonic_ns


class DueTasks:
    """Starts ``step()`` whenever a task is due, by the process's pacer or the user's own schedule.

    A task that never started is counted as a failure of ``subject``; ``overlap`` says whether a task may start
    while the previous one is running; ``on_end`` is called with an exception in a task that ends the user.
    """

    __slots__ = ("_on_end", "_queue", "_step", "_stopped", "_subject", "_turns",
                 "_watch", "context", "running")  # fmt: skip

    def __init__(
        self,
        context: ProcessContext,
        step: Callable[[], Coroutine[Any, Any, object]],
        *,
        subject: str,
        overlap: bool,
        on_end: Callable[[BaseException], None],
    ) -> None:
        self.context = context
        self._step = step
        self._subject = subject
        self._on_end = on_end
        self._watch = current_watch.get()
        self._stopped: asyncio.Future[None] = context.engine.loop.create_future()
        self._queue: deque[int] = deque()
        self._turns = None if overlap else Turns(context.engine.recorder.lateness)
        self.running: set[asyncio.Task[None]] = set()
        """The tasks that are running."""

    def stop(self) -> None:
        """Starts no further tasks."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def work(self, schedule: Callable[[], Any] | None) -> None:
        """Starts tasks until `stop`, then waits for the running ones. Without a schedule it follows the pacer."""
        leave = self._join_pacer() if schedule is None else self._follow(schedule())
        try:
            await self._stopped
        finally:
            self.stop()
            leave()
            own = 0 if self._turns is None else min(self._turns.missed(), len(self._queue))
            self._count_missed([self._queue.popleft() for _ in range(own)], TOO_LATE)
            self._count_missed(self._queue, WAITED)
            self._queue.clear()
        if self.running:
            await asyncio.wait(self.running)

    async def cancel(self) -> None:
        """Cancels the running tasks, and waits for them."""
        for task in self.running:
            task.cancel()
        if self.running:
            await asyncio.wait(self.running)

    def _join_pacer(self) -> Callable[[], None]:
        pacer = self.context.pacer
        pacer.join(self)
        return lambda: pacer.leave(self)

    def _follow(self, schedule: Any) -> Callable[[], None]:
        timers, start_ns = self.context.engine.timers, _now_ns()
        next_ns = start_ns + schedule.due_ns()
        timer = None

        def due() -> None:
            nonlocal next_ns, timer
            now_ns = _now_ns()
            for _ in range(PER_TURN):
                if next_ns > now_ns:
                    break
                self.take(next_ns)
                next_ns = start_ns + schedule.due_ns()
            if missed := int(max(now_ns - OVERDUE_NS - next_ns, 0) * schedule.rate / 1e9):
                schedule.skip(missed)  # the process is too slow for the rate
                self.take_missed(missed)
            timer = timers.at(next_ns, due)

        def leave() -> None:
            nonlocal next_ns
            assert timer is not None
            timer.cancel()
            overdue: list[int] = []
            while next_ns < _now_ns() and len(overdue) < PER_TURN:
                overdue.append(next_ns)
                next_ns = start_ns + schedule.due_ns()
            self._count_missed(overdue, TOO_LATE)

        due()
        return leave

    def take(self, due_ns: int) -> None:
        """A task is due, according to the pacer or the user's own schedule."""
        if self._stopped.done():
            self._count_missed((due_ns,), TOO_LATE)
        elif len(self.running) + len(self._queue) >= self.context.settings.max_in_flight:
            self._unsent(TOO_MANY)
        elif self._turns is None or not self.running:
            self._begin(due_ns)
        else:
            self._queue.append(due_ns)

    def take_missed(self, count: int) -> None:
        """This many tasks were due that the process is too slow to start."""
        self._unsent(TOO_LATE, count)

    def _begin(self, due_ns: int) -> None:
        engine = self.context.engine
        due = Due(due_ns, engine.recorder.lateness)
        # Made directly, since it need not be watched: `_finished` handles its exception.
        task = asyncio.Task(self._run_due(due), loop=engine.loop)
        self.running.add(task)
        task.add_done_callback(partial(self._finished, due))

    async def _run_due(self, due: Due) -> None:
        now_ns = _now_ns()
        recorder, turns = self.context.engine.recorder, self._turns
        due.lag_ns = now_ns - due.due_ns if turns is None else turns.begin(due.due_ns, now_ns)
        due.task = this_task()
        recorder.values["send_lag"].append(due.lag_ns)
        if turns is not None:
            for why, time_ns in turns.waited(due.lag_ns):
                recorder.add(why.value, time_ns)
        current_due.set(due)
        current_watch.set(self._watch)
        await self._step()

    def _finished(self, due: Due, task: asyncio.Task[None]) -> None:
        due.end()
        self.running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_end(error)
        if self._turns is not None:
            self._turns.end(due, _now_ns())
            if self._queue and not self._stopped.done():
                self._begin(self._queue.popleft())

    def _count_missed(self, dues: Iterable[int], kind: str) -> None:
        """Counts tasks that never started, unless they were due just before the end."""
        horizon_ns = _now_ns() - GRACE_NS
        for due_ns in dues:
            if due_ns < horizon_ns:
                self._unsent(kind)

    def _unsent(self, kind: str, count: int = 1) -> None:
        recorder = self.context.engine.recorder
        recorder.count.unsent += count
        recorder.failed(self._subject, kind, number=count)
