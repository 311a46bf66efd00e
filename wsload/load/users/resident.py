"""A Locust user whose whole life is one coroutine on the engine's loop, and a `Stay` instead of a greenlet.

What Locust promises is kept: tasks picked by weight and filtered by tags, ``wait_time``, ``on_start``
and ``on_stop``, ``StopUser`` and ``RescheduleTask``, ``--stop-timeout``. What a coroutine can't do (tasks
that are not ``async``, nested ``TaskSet`` classes) is refused when the class is made, not in mid-run.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random
import time
import traceback
from collections.abc import Iterable
from typing import Any, Final

from locust import User
from locust.exception import RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from wsload.errors import WorkloadError
from wsload.judge.run.validity import TOO_LATE
from wsload.load.locust.compat import join_group, mark_running, mark_stopping
from wsload.load.locust.handle import Stay
from wsload.load.users.declared import check_async, check_tasks
from wsload.load.users.process import Swarm
from wsload.load.users.waits import OpenWait

GRACE_NS: Final = 50_000_000
"""What was due so shortly before a user was stopped is not held against the load generator."""


class ResidentUser(User):
    """Base of the users that live on the loop: the life cycle, without any connection.

    Everything a user class defines (tasks, ``on_start``, ``on_stop``, hooks) runs on the loop's
    thread: what blocks there (``time.sleep``, ``requests``) stalls every user of the process.
    """

    abstract = True
    # An object of more than 30 attributes outside of slots gets a dict of 1.5 KiB.
    __slots__ = ("_between_tasks", "_departing", "_due_ns", "_due_waiter", "_dues", "_engine", "_life",
                 "_open_workload", "_recorder", "_schedule", "_settings", "_stopping",
                 "_swarm", "_yielded")  # fmt: skip

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        check_tasks(cls)
        for hook in ("on_start", "on_stop"):
            check_async(cls, hook, getattr(cls, hook))

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._swarm: Swarm = Swarm.of(environment)
        self._engine = self._swarm.bridge.engine
        self._recorder = self._engine.recorder
        self._settings = self._swarm.settings
        self._life: asyncio.Task[None] | None = None
        self._stopping = False
        self._departing = False
        self._between_tasks = False
        self._yielded = False
        self._due_ns = 0
        self._due_waiter: asyncio.Future[None] | None = None
        wait = getattr(type(self), "wait_time", None)
        self._schedule = wait.schedule if isinstance(wait, OpenWait) else None
        self._open_workload = bool(self._schedule or self._settings.rate)

    # What a user class may define

    async def on_start(self) -> None:  # type: ignore[override]  # async is the whole point
        """Called once, when the user is connected and before its first task."""

    async def on_stop(self) -> None:
        """Called once when the user stops, while it is still connected."""

    # For the stages in between, implemented by the connected users

    async def _arrive(self, due_ns: int) -> None:
        """Gets ready for tasks, as was due at this time: opens, logs in. Tries again by itself."""

    def _is_ready(self) -> bool:
        """Whether a task can be run."""
        return True

    async def _ready(self) -> None:
        """Returns when a task can be run."""

    async def _depart(self) -> None:
        """Closes what `_arrive` opened."""

    def _abort(self) -> None:
        """Drops it without ceremony."""

    def visit(self, now_ns: int) -> None:
        """From the engine, several times a second: gives up what has waited too long."""

    # Hub's side: what Locust calls

    def start(self, group: Any) -> Stay:
        """Locust's: begins the user's life and adds it to the group."""
        stay = self._begin()
        join_group(self, group, stay)
        return stay

    def run(self) -> None:  # type: ignore[misc]  # final for type checkers only: PytestUser overrides it too
        """The user's whole life, while the calling greenlet waits: what Locust's ``run_single_user`` does."""
        self._begin().join()

    def _begin(self) -> Stay:
        mark_running(self)
        stay = Stay(self)
        if self._swarm.refused:
            stay.finish(None, None)
        else:
            self._swarm.arrivals.add(lambda due_ns: self._swarm.bridge.submit(self._live(due_ns), stay))
        return stay

    def stop(self, force: bool = False) -> bool:
        """Locust's: gracefully lets the running task finish; returns whether it ended at once."""
        if force:
            self.group.killone(self.greenlet)
            return True
        mark_stopping(self)
        self._engine.call(self._stop, False)
        return False

    def _killed(self, again: bool) -> None:
        self._engine.call(*((self._abort,) if again else (self._stop, True)))

    # Loop's side

    def _stop(self, force: bool) -> None:
        self._stopping = True
        # Departing is bounded by itself, and counts what is still owed: it is not cut short.
        if self._life is not None and not self._departing and (force or self._between_tasks):
            self._life.cancel()

    async def _live(self, arrival_ns: int) -> None:
        self._life = asyncio.current_task()
        assert self._life is not None
        try:
            await self._interruptible(self._engine.timers.sleep_until(arrival_ns))
        except (asyncio.CancelledError, StopUser):
            return  # it never came
        self._engine.members[self] = None
        try:
            try:
                await self._interruptible(self._arrive(arrival_ns))
                with contextlib.suppress(WorkloadError):  # counted, and being reconnected
                    await self.on_start()
                await self._work()
            except (asyncio.CancelledError, StopUser):
                self._life.uncancel()
            except StopTest:
                raise
            except Exception as error:
                self._report(error)
                self._recorder.count.users_ended += 1
            self._stopping = True
            try:
                with contextlib.suppress(WorkloadError):
                    await self.on_stop()
            except Exception as error:
                self._report(error)
        finally:
            self._stopping = self._departing = True
            try:
                await self._depart()
            finally:
                self._engine.members.pop(self, None)
                self._life = None

    async def _interruptible(self, waiting: Any) -> None:
        """Awaits something that a graceful stop need not wait for."""
        if self._stopping:
            waiting.close()
            raise StopUser
        self._between_tasks = True
        try:
            await waiting
        finally:
            self._between_tasks = False

    async def _work(self) -> None:
        if self._settings.rate:
            self._dues: collections.deque[int] = collections.deque()
            self._swarm.pacer.join(self)
            try:
                await self._work_when_due(self._pacer_due)
            finally:
                self._swarm.pacer.leave(self)
                self._count_missed(self._dues)
        elif self._schedule is not None:
            schedule, start = self._schedule(), time.monotonic_ns()
            due_ns = start + schedule.due_ns()

            async def next_due() -> int:
                nonlocal due_ns
                if due_ns <= time.monotonic_ns():
                    await asyncio.sleep(0)  # behind: the others, and whoever stops this one, still get a turn
                else:
                    await self._engine.timers.sleep_until(due_ns)
                came_ns, due_ns = due_ns, start + schedule.due_ns()
                return came_ns

            try:
                await self._work_when_due(next_due)
            finally:
                missed = []
                while due_ns < time.monotonic_ns():
                    missed.append(due_ns)
                    due_ns = start + schedule.due_ns()
                self._count_missed(missed)
        else:
            await self._work_closed()

    async def _work_when_due(self, next_due: Any) -> None:
        while True:
            self._between_tasks = True
            due_ns = await next_due()
            self._between_tasks = False
            if self._stopping:
                raise StopUser
            self._due_ns = due_ns
            await self._run_task()
            self._due_ns = 0

    def _count_missed(self, dues: Iterable[int]) -> None:
        """What was due a good while before the end and never got its turn, is counted."""
        horizon_ns = time.monotonic_ns() - GRACE_NS
        for due_ns in dues:
            if due_ns < horizon_ns:
                self._recorder.count.unsent += 1
                self._recorder.failed("message", TOO_LATE)

    async def _pacer_due(self) -> int:
        while not self._dues:
            self._due_waiter = self._engine.loop.create_future()
            await self._due_waiter
        return self._dues.popleft()

    def take(self, due_ns: int) -> None:
        """From the pacer: a task is due."""
        self._dues.append(due_ns)
        if self._due_waiter is not None and not self._due_waiter.done():
            self._due_waiter.set_result(None)

    def take_missed(self, count: int) -> None:
        """From the pacer: so many were due that this process can't start."""
        self._recorder.count.unsent += count
        self._recorder.failed("message", TOO_LATE)

    async def _work_closed(self) -> None:
        while True:
            if self._stopping:
                raise StopUser
            if not self._is_ready():
                await self._interruptible(self._ready())
            self._yielded = False
            if not await self._run_task():
                continue
            if self._stopping:
                raise StopUser
            wait_s = self.wait_time()
            if wait_s > 0:
                due_ns = time.monotonic_ns() + int(wait_s * 1e9)
                await self._interruptible(self._engine.timers.sleep_until(due_ns))
            elif not self._yielded:
                # A task that never suspends must not starve the others.
                await asyncio.sleep(0)

    async def _run_task(self) -> bool:
        """Runs one task picked by weight; says whether the wait time comes next."""
        tasks: list[Any] = self.tasks
        if not tasks:
            raise RuntimeError(f"{type(self).__name__} has no tasks: mark async methods with @task")
        try:
            await (tasks[0] if len(tasks) == 1 else random.choice(tasks))(self)
        except WorkloadError:
            pass  # counted by its kind when it was raised
        except RescheduleTaskImmediately:
            await asyncio.sleep(0)
            return False
        except RescheduleTask:
            pass
        except (StopUser, StopTest):
            raise
        except Exception as error:
            self._report(error)
            if not self.environment.catch_exceptions:
                raise
            await asyncio.sleep(0)
        return True

    def _report(self, error: Exception) -> None:
        """A bug in the user class: told to Locust as its own users' are, with the traceback."""
        text = "".join(traceback.format_exception(error))
        self._swarm.bridge.to_hub(self._swarm.report_user_error, self, error, text)
