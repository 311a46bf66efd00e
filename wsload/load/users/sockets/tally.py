"""Counts and records how requests end, in the same way for every kind of connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Generator, Hashable
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from wsload.errors import UsageError, WorkloadError
from wsload.load.users.context.control_flow import CONTROL_FLOW
from wsload.load.users.context.here import current_due, left_out
from wsload.load.users.context.process import ProcessContext
from wsload.measure.detailed import DetailedTime
from wsload.measure.lateness import Lateness
from wsload.measure.names import KEY_IN_FLIGHT, TIMEOUT, Figures, Kind, OwnWait
from wsload.measure.recorder import Recorder

if TYPE_CHECKING:
    from wsload.load.engine.engine import Engine
    from wsload.load.engine.timers import Source
    from wsload.load.users.sockets.owner import Owner, Progress

PAUSE_NS: Final = 10_000_000
"""The pause before a call fails at once, so that a loop around it does not hog the thread. No step includes it."""
MAX_LIMIT_S: Final = 1e9
"""Longer time limits are shortened to this, 31 years."""
_LONGEST_KIND: Final = 80
_now_ns = time.monotonic_ns

Check = Callable[[Any], str | None]


def cut(kind: object) -> str:
    """A kind of failure that a user class gave, cut to 80 characters."""
    return str(kind)[:_LONGEST_KIND]


class Answered(Protocol):
    """A request that was answered."""

    due_ns: int
    sent_ns: int
    lag_ns: int


def time_limit_ns(timeout: Any) -> int:
    """A call's ``timeout`` in ns. Raises `UsageError` for what is no finite number of seconds from 0 on."""
    with contextlib.suppress(TypeError, ValueError, ArithmeticError):
        if 0 <= timeout < math.inf:
            return int(float(min(timeout, MAX_LIMIT_S)) * 1e9)
    raise UsageError(f"timeout is a number of seconds, 0 or more, not {timeout!r:.40}")


def record_answer(recorder: Recorder, figures: Figures, request: Answered, at_ns: int, size: int) -> None:
    """Records the response and service time of a request; its answer of ``size`` bytes arrived at ``at_ns``."""
    values, due_ns = recorder.values, request.due_ns
    values[figures.name].append(at_ns - due_ns)
    values[figures.service].append(at_ns - request.sent_ns)
    recorder.sizes[figures.name].append(size)
    lateness = recorder.lateness
    if at_ns > lateness.due_ns or request.lag_ns > lateness.slack_ns or lateness.until_ns > due_ns:
        before_ns, after_ns = lateness_of(request, at_ns, lateness)
        recorder.late(figures.name, at_ns - due_ns, before_ns + after_ns)
        recorder.late(figures.service, at_ns - request.sent_ns, after_ns)


def lateness_of(request: Answered, at_ns: int, lateness: Lateness) -> tuple[int, int]:
    """How much the load generator may have delayed a request, before and after the send's timestamp.

    Before: in starting its task, and in the task; after: in writing the request and in reading the answer.
    """
    due_ns, sent_ns, lag_ns = request.due_ns, request.sent_ns, request.lag_ns
    return (
        lag_ns + lateness.within(due_ns + lag_ns, sent_ns),
        lateness.writing(sent_ns) + lateness.reading(at_ns),
    )


class _Failing(asyncio.Future[Any]):
    """The result of a call that failed at once. It fails after a pause; see `PAUSE_NS`."""

    _awaited = False

    def __await__(self) -> Generator[Any, None, Any]:
        self._awaited = True
        with left_out(OwnWait.PAUSE):
            return (yield from super().__await__())

    def add_done_callback(self, fn: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        """Called by what waits for it, such as `asyncio.gather`."""
        self._awaited = True
        super().add_done_callback(fn, context=copy_context() if context is None else context)

    def fail(self, error: Exception, report: Callable[[Exception], object] | None) -> None:
        """Raises the error where this is awaited. If nobody awaits it, ``report`` is called; None if it was counted."""
        if self.done():
            return
        self.set_exception(error)
        if report is None or not self._awaited:
            self.exception()  # or asyncio would complain that nobody has asked for it
        if report is not None and not self._awaited:
            report(error)


class Tally:
    """Counts the unsent and lost requests of an owner's connection."""

    __slots__ = ("context", "engine", "owner", "progress", "recorder")

    def __init__(self, owner: Owner, context: ProcessContext) -> None:
        self.owner = owner
        self.context = context
        self.progress: Progress = owner._life
        self.engine = context.engine
        self.recorder = context.engine.recorder

    def unsent(self, name: str, error: WorkloadError) -> Awaitable[Any]:
        """Counts an unsent request; awaiting the result raises the error after a pause (see `PAUSE_NS`)."""
        self.count_unsent(name, error.kind)
        return self._failing(error, None)

    def key_in_flight(self, name: str, key: Hashable) -> Awaitable[Any]:
        """Counts a request as unsent because one with this key is in flight; awaiting raises `UsageError`."""
        text = f"a request with the key {key!r:.40} is still in flight: give each request a key of its own"
        self.count_unsent(name, KEY_IN_FLIGHT, detail=text)
        return self._failing(UsageError(text), None)

    def refused(self, call: str, error: Exception) -> Awaitable[Any]:
        """The result of a call that can't be made: awaiting it raises the error after a pause (see `PAUSE_NS`).

        If nobody awaits it, the error is reported as one of ``call``.
        """
        return self._failing(error, partial(self.owner._report, call))

    def _failing(self, error: Exception, report: Callable[[Exception], object] | None) -> Awaitable[Any]:
        result = _Failing(loop=self.engine.loop)
        self.engine.timers.at(_now_ns() + PAUSE_NS, result.fail, error, report)
        return result

    def count_unsent(self, name: str, kind: str, *, detail: str = "") -> None:
        """Counts a request that was due but could not be sent."""
        current_due.get().void()
        self.recorder.count.unsent += 1
        self.recorder.failed(name, kind, self.with_details(-1), detail=detail)

    def lost(self, figures: Figures, due_ns: int, kind: str, detail: str = "") -> None:
        """Counts a request that was sent but not answered, with its age."""
        age_ns, recorder = _now_ns() - due_ns, self.recorder
        recorder.count.lost += 1
        recorder.values[figures.lost].append(age_ns)
        recorder.failed(figures.name, kind, self.with_details(age_ns), detail=detail)
        if kind == TIMEOUT:
            recorder.count.timeouts += 1

    def fail(self, waiter: asyncio.Future[Any], error: WorkloadError) -> None:
        """Raises the error where the answer is awaited, if it is."""
        waiter.set_exception(error)
        waiter.add_done_callback(_retrieve)
        self.progress.turned = True

    def with_details(self, time_ns: int, response: object = None) -> int:
        """The time of a request, with its answer if anybody listens to Locust's ``request`` event."""
        if not self.recorder.detailed:
            return time_ns
        return DetailedTime.ended(time_ns, response, self.owner._call(self.owner.context))

    def add_answer(self, figures: Figures, response: object) -> None:
        """Adds the answer to the time that was just recorded."""
        values = self.recorder.values[figures.name]
        values[-1] = self.with_details(values[-1], response)

    def checked(self, check: Check, message: str | bytes) -> str | None:
        """The kind of failure that a user class's ``check`` finds in an answer, or None."""
        try:
            found = check(message)
            if found is not None and not isinstance(found, str):
                raise UsageError(f"check returns None or the kind of failure as a str, not {found!r:.40}")
        except BaseException as error:
            self.owner._raised("check", error)
            return None if isinstance(error, CONTROL_FLOW) else type(error).__name__
        return found

    def declare(self, name: str, kind: Kind) -> Figures:
        """The figures of a name. Raises `UsageError` for a name that is reserved or of another kind."""
        try:
            return self.recorder.declare(name, kind)
        except ValueError as error:
            raise UsageError(str(error)) from None

    async def limit_ns(self, timeout: float | None) -> int:
        """How long a call may take, by default ``--ws-message-timeout``. Raises `UsageError` after a pause."""
        if timeout is None:
            return self.context.settings.message_timeout_ns
        try:
            return time_limit_ns(timeout)
        except UsageError:
            await self.pause()
            raise

    async def pause(self, since_ns: int = 0) -> None:
        """Waits before a call fails at once, or which has waited itself since then; see `PAUSE_NS`."""
        with left_out(OwnWait.PAUSE):
            await self.engine.timers.sleep_until((since_ns or _now_ns()) + PAUSE_NS)


class Draining:
    """A wait for the last outstanding answer."""

    __slots__ = ("_engine", "_over")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over: asyncio.Future[None] = engine.loop.create_future()

    async def wait(self, allowed_s: float, source: Source | None) -> None:
        """Waits until `end` is called, up to ``allowed_s``; answers come from the source."""
        timer = self._engine.timers.deadline(_now_ns() + int(allowed_s * 1e9), self.end, source=source)
        try:
            await self._over
        finally:
            timer.cancel()

    def end(self) -> None:
        """No answer is outstanding any more."""
        if not self._over.done():
            self._over.set_result(None)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Keeps asyncio from complaining about an exception that nobody awaited: it was counted."""
    if not future.cancelled():
        future.exception()
