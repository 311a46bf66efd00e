"""The state machine of a user on the loop: it arrives, works, and leaves.

    NEW ──▶ ARRIVING ──▶ BUSY ⇄ RESTING ──▶ LEAVING ──▶ GONE
               └────────── ENDING / FINISHING ──▲

A user that is asked to stop while it arrives or rests is ENDING at once. While it is busy, it becomes FINISHING, so
that the current task can finish. A user that is killed is ENDING at once, whatever it was doing. LEAVING (`on_stop`,
outstanding answers, closing) has its own time limits, and is not cut short.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from wsload.errors import WorkloadError
from wsload.load.engine.watched import Watch, current_watch
from wsload.load.users.context.control_flow import of_user_class, parts
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.due_tasks import DueTasks
from wsload.load.users.locust_compat import restart_pacing
from wsload.load.users.sockets.states import State
from wsload.load.users.tasks import TaskStack
from wsload.measure.schedule import backoff

_now_ns = time.monotonic_ns


class Phase(enum.Enum):
    """The state of a user."""

    NEW = "new"
    ARRIVING = "arriving"
    RESTING = "resting"
    BUSY = "busy"
    FINISHING = "finishing"
    ENDING = "ending"
    LEAVING = "leaving"
    GONE = "gone"


_RESTING, _BUSY, _OPEN = Phase.RESTING, Phase.BUSY, State.OPEN

ON_STOP: Final[Mapping[Phase, Phase]] = {
    Phase.NEW: Phase.ENDING,
    Phase.ARRIVING: Phase.ENDING,
    Phase.RESTING: Phase.ENDING,
    Phase.BUSY: Phase.FINISHING,
}
"""The phase that follows when the user is asked to stop; other phases don't change."""
ON_KILL: Final[Mapping[Phase, Phase]] = dict.fromkeys(
    (Phase.NEW, Phase.ARRIVING, Phase.RESTING, Phase.BUSY, Phase.FINISHING), Phase.ENDING
)
"""The phase that follows when the user is killed; other phases don't change."""


class Life:
    """A user's life. Created on the hub's thread; everything else happens on the loop's."""

    __slots__ = (
        "_due_tasks",
        "_task",
        "context",
        "error",
        "open_workload",
        "phase",
        "schedule",
        "stack",
        "started",
        "turned",
        "user",
    )

    def __init__(self, user: Any, context: ProcessContext, schedule: Callable[[], Any] | None) -> None:
        self.user = user
        self.context = context
        self.phase = Phase.NEW
        self.schedule = schedule
        self.open_workload = bool(schedule or context.settings.paced)
        self.stack = TaskStack(user)
        self.turned = False
        """Whether the loop has run since the current task of a closed workload started."""
        self.started = False
        """Whether `on_start` was called, so that `on_stop` must be."""
        self.error: BaseException | None = None
        """What a task raised, if Locust is told not to catch exceptions."""
        self._task: asyncio.Task[None] | None = None
        self._due_tasks: DueTasks | None = None

    def stop(self, *, kill: bool = False) -> None:
        """Asks the user to stop, or kills it."""
        following = (ON_KILL if kill else ON_STOP).get(self.phase)
        if following is None:
            return
        self.phase = following
        if following is Phase.FINISHING:
            if self._due_tasks is not None:
                self._due_tasks.stop()
        else:
            # Not right now, since the caller may be a hook in the user's own task.
            self.context.engine.loop.call_soon(self._cut_short)

    def _cut_short(self) -> None:
        if self._task is not None and self.phase is Phase.ENDING:
            self._task.cancel()

    @property
    def cut_short(self) -> bool:
        """Whether wsload may be cancelling what the user does. While it finishes its task, only its class cancels."""
        return self.phase in (Phase.ENDING, Phase.LEAVING, Phase.GONE)

    async def live(self, arrival_ns: int) -> None:
        """Runs the user to its end. With ``catch_exceptions`` off, then raises the exception of its task, if any."""
        if self.phase is not Phase.NEW:
            return
        engine, self.phase = self.context.engine, Phase.ARRIVING
        current_watch.set(Watch(self.user._raised))
        self._task = asyncio.current_task()
        assert self._task is not None
        try:
            await engine.timers.sleep_until(arrival_ns)
        except asyncio.CancelledError:
            self.phase = Phase.GONE
            return  # it never came
        engine.users += 1
        try:
            try:
                await self._arrive(arrival_ns)
                await self._work()
            except asyncio.CancelledError:
                self._task.uncancel()
            except StopUser:
                pass
            except BaseException as error:
                if not of_user_class(error):
                    raise
                self._ends(error)
            self.phase = Phase.LEAVING
            if self._due_tasks is not None:
                await self._due_tasks.cancel()
            if self.started:
                await self._say_goodbye()
        finally:
            self.phase = Phase.LEAVING
            try:
                await self.user._depart()
            finally:
                engine.users -= 1
                self.phase = Phase.GONE
                self._task = None
        if self.error is not None:
            raise self.error

    async def _arrive(self, arrival_ns: int) -> None:
        user, recorder = self.user, self.context.engine.recorder
        await user._take_rows()
        if user.auto_connect:
            try:
                await user._socket.open_persistently(arrival_ns)
            except WorkloadError:
                recorder.count.users_ended += 1  # it does not reconnect
                raise StopUser from None
        delays = backoff()
        while True:
            self._go_on(Phase.BUSY)
            self.started = True
            opened = user._extra or ()
            try:
                await user.on_start()
            except BaseException as error:
                if not of_user_class(error):
                    raise
                decides = parts(error)[-1]
                if not isinstance(decides, WorkloadError):
                    user._raised("on_start", error)
                    recorder.count.users_ended += not isinstance(decides, StopUser | StopTest | SystemExit)
                    raise StopUser from None
                # It was counted. on_start is retried, like the automatic opening, before any task begins.
                self._go_on(Phase.ARRIVING)
                if not user._socket.reconnects:
                    recorder.count.users_ended += 1
                    raise StopUser from None
                await user._undo_start(opened)
                await self.context.engine.timers.sleep_until(_now_ns() + int(next(delays) * 1e9))
                await user._socket.when_settled()
            else:
                restart_pacing(user)  # or all users that Locust created at once would go on in step
                return self._go_on(Phase.BUSY)

    def _go_on(self, phase: Phase) -> None:
        if self.cut_short or self.phase is Phase.FINISHING:
            raise StopUser
        self.phase = phase

    async def _say_goodbye(self) -> None:
        await self.stack.leave_all()
        try:
            await self.user.on_stop()
        except BaseException as error:
            if not of_user_class(error):
                raise
            self.user._raised("on_stop", error)

    # Closed workload: one task, its answer, a wait, and the next

    async def _work(self) -> None:
        user, stack, timers = self.user, self.stack, self.context.engine.timers
        if self.open_workload:
            self._due_tasks = DueTasks(
                self.context, self._step, subject=user._subject, overlap=user.overlap, on_end=self._ends
            )
            await self._due_tasks.work(None if self.context.settings.paced else self.schedule)
            return
        socket, only = user._socket, stack.only
        while True:
            if socket.state is not _OPEN and not socket.settled:
                self._go_on(Phase.RESTING)
                await socket.when_settled()
            if self.phase is not _RESTING:
                self._go_on(_RESTING)
            self.phase = _BUSY
            self.turned = False
            try:
                waits = True
                if only is not None:
                    await only(user)  # what `_step` does, without a coroutine for it
                else:
                    waits = await self._step()
            except BaseException as error:
                waits = await self._raised(only, user, error)
            if self.phase is not _BUSY:
                raise StopUser
            self.phase = _RESTING
            wait_s = (stack.sets[-1] if stack.sets else user).wait_time() if waits else 0
            if wait_s > 0:
                await timers.sleep_until(_now_ns() + int(wait_s * 1e9))
            elif not self.turned:
                await asyncio.sleep(0)  # a task that never suspends must not starve the others

    async def _step(self) -> bool:
        """Runs the next task; returns whether the wait time comes next."""
        stack, holder = self.stack, self.user
        task: Any = stack.only
        try:
            while task is None or inspect.isclass(task):
                async with stack.door:
                    holder, task = stack.holder, None
                    task = stack.choose(holder)
                    if inspect.isclass(task):
                        await stack.enter(task, holder)
            await task(holder)
        except BaseException as error:
            return await self._raised(task, holder, error)
        return True

    async def _raised(self, task: Any, holder: Any, error: BaseException) -> bool:
        """Handles what a holder's task, or entering one, raised; returns whether the wait time comes next."""
        return [await self._handle(task, holder, each) for each in parts(error)][-1]

    async def _handle(self, task: Any, holder: Any, error: BaseException) -> bool:
        if isinstance(error, WorkloadError):
            return True  # counted when it was raised
        entering = inspect.isclass(task)
        if isinstance(error, InterruptTaskSet):
            if not entering:
                await self.stack.leave(holder)
            return not error.reschedule
        if isinstance(error, RescheduleTask | RescheduleTaskImmediately):
            return isinstance(error, RescheduleTask)
        if isinstance(error, StopUser | StopTest) or not of_user_class(error):
            raise error
        name = getattr(task or type(holder), "__name__", "tasks")
        self._failed(f"{name}.on_start" if entering else f"task {name}", error)
        return True

    def _failed(self, what: str, error: BaseException) -> None:
        """Counts a failure of a task, or of a TaskSet's ``on_start``, which raised."""
        self.user._raised(what, error)
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise StopUser from error
        if not self.user.environment.catch_exceptions:
            self.error = error
            self.context.engine.recorder.count.users_ended += 1
            raise StopUser from error

    def _ends(self, error: BaseException) -> None:
        """Ends the user, because its class asked for it or because of an error, which is counted and reported."""
        unforeseen = self.phase in ON_KILL and not isinstance(error, StopUser | StopTest | SystemExit)
        self.context.engine.recorder.count.users_ended += unforeseen
        self.user._raised("user", error)
        self.stop(kill=True)
