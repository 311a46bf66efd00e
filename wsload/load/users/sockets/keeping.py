"""Keeps a connection open: opens it with backoff, reopens it when it is dropped, and closes it in order.

The states are those of `wsload.load.users.sockets.states`; subclasses handle the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wsload.errors import AlreadyConnected, ConnectionLost, OpenError, UsageError, WorkloadError
from wsload.load.users.context.control_flow import STOPS, of_user_class, parts
from wsload.load.users.context.here import NEVER_DUE, current_due, greeting, is_here, nothing_due
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.sockets.opening import USUAL, Opening
from wsload.load.users.sockets.retries import Retries
from wsload.load.users.sockets.settling import Settling
from wsload.load.users.sockets.states import CONNECTED, UNSETTLED, Event, State
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.frames import close_payload

if TYPE_CHECKING:
    from wsload.load.engine.timers import Source
    from wsload.load.users.sockets.owner import Owner

_now_ns = time.monotonic_ns


class KeptConnection(Settling):
    """A connection that is kept open. The owner's hooks are only called for its ``main`` connection."""

    __slots__ = ("_close_ns", "_greeting", "_in_charge", "_keeper", "_retries", "connection", "main", "opening",
                 "reconnects")  # fmt: skip

    def __init__(self, owner: Owner, context: ProcessContext, *, main: bool, reconnects: bool) -> None:
        super().__init__(owner, context)
        self.main = main
        self.reconnects = reconnects
        self.opening: Opening | None = None
        """The last opening; reconnections repeat it."""
        self.connection: TimedConnection | None = None
        self._retries = Retries()
        self._keeper: asyncio.Task[None] | None = None
        """The task that reopens the connection."""
        self._in_charge: object = None
        """Stands for the opening in progress, which includes `on_connect`; None if there is none."""
        self._close_ns = 0
        """When the closing handshake began, also if no task waits for its end any more; 0 before."""
        self._greeting: object = None

    # Opening

    async def open(self, opening: Opening | None, due_ns: int, lag_ns: int = 0) -> None:
        """Makes one attempt, and calls `on_connect`. The load generator is late with it by up to ``lag_ns``.

        Raises `OpenError` or what `on_connect` raised, counted; `AlreadyConnected` if there is a connection.
        """
        if self.state is not State.CLOSED or self.connection is not None:
            state = State.CLOSING if self.state is State.CLOSED else self.state
            await self.pause()
            raise AlreadyConnected(
                f"the socket is {state.value} already: a user connects by itself unless auto_connect = False; "
                "close() first, or use open() for a second connection"
            )
        self.opening, began_ns = opening, _now_ns()
        with self._charge() as mine:
            try:
                with greeting() as self._greeting:
                    await self._attempt(due_ns, Event.GONE, mine, lag_ns)
                    await self._greet(mine)
            except BaseException as error:
                if self._in_charge is mine:
                    await self.close()
                if isinstance(error, Exception):
                    await self.pause(began_ns)
                raise
        self._retries.opened()

    async def open_persistently(self, due_ns: int) -> None:
        """Retries with backoff until the connection is open and `on_connect` has returned, or it is closed.

        Without reconnection there is only one attempt, which raises a counted `WorkloadError` if it fails.
        """
        failed = Event.FAILED if self.reconnects else Event.GONE
        expected = self.state
        with self._charge() as mine:
            while True:
                await self.engine.timers.sleep_until(due_ns)
                if self.state is not expected or self._in_charge is not mine:
                    return  # closed on purpose meanwhile
                expected, stage = State.WAITING, "on_opening"
                try:
                    with greeting() as self._greeting:
                        await self._attempt(due_ns, failed, mine)
                        stage = "on_connect"
                        await self._greet(mine)
                except BaseException as error:
                    if not of_user_class(error):
                        raise
                    for each in parts(error):
                        if isinstance(each, STOPS):
                            raise each from None
                        if not isinstance(each, WorkloadError):
                            self.owner._report(stage, each)
                    if self.connection is not None and self._in_charge is mine:
                        await self._drop()
                    if self.state is State.CLOSED and not self.reconnects:
                        raise WorkloadError(type(error).__name__) from error
                    if self.state is State.CLOSED or self._in_charge is not mine:
                        return  # closed on purpose meanwhile, and perhaps opened anew
                else:
                    self._retries.opened()
                    return
                due_ns = self._retries.next_ns()

    @contextlib.contextmanager
    def _charge(self) -> Iterator[object]:
        # If the connection is closed and opened during an opening, the newer opening replaces the older one.
        mine = self._in_charge = object()
        self.engine.members[self] = None
        try:
            yield mine
        finally:
            if self._in_charge is mine:
                self._in_charge = None
                if self.state is State.CLOSED:
                    self.engine.members.pop(self, None)

    async def _attempt(self, due_ns: int, failed: Event, mine: object, lag_ns: int = 0) -> None:
        self._move(Event.OPEN)
        try:
            began_ns = _now_ns()
            asked = await self.owner._asked(self.opening or USUAL, main=self.main)
            due_ns += _now_ns() - began_ns  # the time of on_opening is not part of the opening
            url = asked.full_url(self.owner._resolve(asked.url))
            opener, settings = self.context.opener, asked.settings()
            with nothing_due():  # the connection's hooks run in copies of this context
                connection = await opener.open(
                    url, intended_ns=due_ns, lag_ns=lag_ns, wanted=self.wanted, **settings
                )
        except BaseException as error:
            if self.state is State.OPENING and self._in_charge is mine:
                ends = isinstance(error, SystemExit | KeyboardInterrupt) or not of_user_class(error)
                self._move(Event.GONE if ends else failed)
            if isinstance(error, OpenError) and self.main:
                self.owner._call(self.owner.on_error, error)
            raise
        if self.state is not State.OPENING or self._in_charge is not mine:
            connection.abort()
            raise ConnectionLost("closed", "while it was being opened")
        self.connection = connection
        self.engine.connections += 1
        self._move(Event.OPENED)
        self._began()
        with nothing_due():
            connection.attach(self)

    async def _greet(self, mine: object) -> None:
        if self.main and self.state is State.GREETING:
            await self.owner.on_connect()
        if self.state is not State.GREETING or self._in_charge is not mine:
            raise ConnectionLost("closed", "before on_connect had returned")
        self._move(Event.GREETED)

    async def _drop(self) -> None:
        """Gives up a connection on which `on_connect` failed."""
        assert self.connection is not None
        if self.state in CONNECTED:
            self._move(Event.LOST if self.reconnects else Event.CLOSE)
        await self.connection.close()

    # Keeping

    def wanted(self) -> bool:
        """Whether the opening in progress is still wanted: it was not closed on purpose, and the user not cut short."""
        return self.state in UNSETTLED and not self.progress.cut_short

    @property
    def source(self) -> Source | None:
        """Where messages come from, for deadlines."""
        return None if self.connection is None else self.connection.incoming

    def usable(self) -> TimedConnection | None:
        """The connection, if the caller may send on it now."""
        if self.state is State.OPEN or (self.state is State.GREETING and is_here(self._greeting)):
            return self.connection
        return None

    async def _keep(self, due_ns: int) -> None:
        current_due.set(NEVER_DUE)  # this context was copied from the task that opened first
        try:
            await self.open_persistently(due_ns)
            self.recorder.count.reconnects += self.state is State.OPEN
        except STOPS as error:
            self.owner._raised("on_connect", error)
        finally:
            if self._keeper is asyncio.current_task():
                self._keeper = None

    # Closing

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection and waits for it; recorded as ``close``. No reconnection follows.

        Raises `UsageError` for a code or reason that is not allowed in a close frame.
        """
        try:
            close_payload(code, reason)
        except UsageError:
            await self.pause()
            raise
        self._stop_keeping()
        again = self.state is State.CLOSING or self._close_ns > 0
        self._move(Event.CLOSE)
        if again and self.connection is not None:
            await self.connection.wait_closed()
        elif self.connection is not None:
            try:
                await self._linger()
            finally:
                if self.connection is not None:
                    self._close_ns = _now_ns()
                    await self.connection.close(code, reason)

    def recycle(self) -> None:
        """Drops the connection, because answers on it can no longer be paired with requests.

        It is reopened at once, unless it is being closed.
        """
        if self.state in CONNECTED:
            self._move(Event.DROP)
        elif self.state is not State.CLOSING:
            return
        assert self.connection is not None
        self.connection.abort()

    def abort(self) -> None:
        """Drops the connection without a closing handshake, and without reconnecting."""
        self._stop_keeping()
        self._move(Event.CLOSE)
        if self.connection is not None:
            self.connection.abort()

    def _stop_keeping(self) -> None:
        if self._keeper is not None and self._keeper is not asyncio.current_task():
            self._keeper.cancel()
            self._keeper = None

    # From the connection and the engine

    def receive_close(self, code: int, reason: str) -> None:
        """Called by the connection when it is gone."""
        assert self.connection is not None
        end, state = self.connection.end, self.state
        self.connection = None
        self.engine.connections -= 1
        if self._close_ns:
            self.recorder.timed("close", self._close_ns, _now_ns())
            self._close_ns = 0
        expected = end.counted in self.owner.expected_closes
        if state is State.GREETING or (state is State.OPEN and not expected):
            self.recorder.failed("close", end.kind, detail=end.detail)
        if state is State.CLOSING:
            self._move(Event.GONE)
        elif state in CONNECTED or state is State.DROPPING:
            self._move(Event.LOST if self.reconnects else Event.GONE)
        self._lost(end.kind, end.detail)
        if self.main:
            self.owner._call(self.owner.on_close, code, reason)
        # During on_connect, the opening in progress fails now, and retries by itself.
        if self._in_charge is None and state in (State.OPEN, State.DROPPING):
            if self.state is State.WAITING:
                self._reopen(at_once=state is State.DROPPING)
            elif self.main and self.state is State.CLOSED:
                self.owner._ended()

    def _reopen(self, *, at_once: bool) -> None:
        self._retries.lost()
        due_ns = _now_ns() if at_once else self._retries.next_ns()
        # Made directly, so that it is not watched: an exception in it is none of the user class's.
        self._keeper = asyncio.Task(self._keep(due_ns), loop=self.engine.loop)
