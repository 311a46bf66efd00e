"""The connection's life within a user's: opened with patience, opened again when dropped, closed in order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from locust.exception import StopUser

from wsload.errors import ConnectionLost, NotConnected, OpenError, WorkloadError
from wsload.load.users.declared import check_async, check_plain
from wsload.load.users.resident import ResidentUser
from wsload.load.ws.connection import TimedConnection

STABLE_NS: Final = 5_000_000_000
"""A connection that lasted for so long proves a server well: the next reconnection waits least again."""
_now_ns = time.monotonic_ns


class ConnectedUser(ResidentUser):
    """A user that keeps one connection; what it says on it is the subclasses' matter."""

    abstract = True

    url: str = "/"
    """What to open: a URL, or a path on ``--host``; ``--ws-url`` overrides it."""
    subprotocols: tuple[str, ...] = ()
    """Offered in this order; with any offered, the server must choose one. ``--ws-subprotocol`` overrides."""
    auto_connect: bool = True
    """Whether the connection is opened before `on_start`; otherwise call `connect` yourself."""
    __slots__ = ("_arrived_ns", "_arriving", "_closing", "_connection", "_delays", "_ready_waiters",
                 "_reconnecting", "_recycling")  # fmt: skip

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if isinstance(cls.subprotocols, str):
            cls.subprotocols = (cls.subprotocols,)
        for hook in ("on_close", "on_error"):
            check_plain(cls, hook)
        check_async(cls, "on_connect", cls.on_connect)

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._connection: TimedConnection | None = None
        self._closing = False
        self._recycling = False
        self._arriving = False
        self._arrived_ns = 0
        self._delays = _backoff()
        self._reconnecting: asyncio.Task[None] | None = None
        self._ready_waiters: list[asyncio.Future[None]] = []

    # What a user class may define

    async def on_connect(self) -> None:
        """Called after every successful opening, the first and each reconnection: log in here."""

    def on_close(self, code: int, reason: str) -> None:
        """Called when the connection is gone: the close code (1006 where no close frame came) and reason."""

    def on_error(self, error: WorkloadError) -> None:
        """Called when an opening failed, after it was counted."""

    # What a task may call

    async def connect(self, url: str | None = None) -> None:
        """Opens the connection, once; recorded as ``open``. Raises `OpenError`; retries are the caller's."""
        await self._open(_now_ns(), url)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection and waits for it; recorded as ``close``. No reconnection follows."""
        connection = self._connection
        if connection is None:
            return
        self._closing = True
        began_ns = _now_ns()
        await connection.close(code, reason)
        self._recorder.values["close"].append(_now_ns() - began_ns)

    # The life cycle

    async def _arrive(self, due_ns: int) -> None:
        if self.auto_connect:
            await self._open_persistently(due_ns)

    async def _open_persistently(self, intended_ns: int) -> None:
        self._arriving = True
        try:
            while True:
                await self._engine.timers.sleep_until(intended_ns)
                try:
                    await self._open(intended_ns, None)
                    await self.on_connect()
                    if self._connection is None:
                        raise ConnectionLost("closed at once")
                    break
                except WorkloadError:
                    if not self._settings.reconnect:
                        self._recorder.count.users_ended += 1
                        raise StopUser from None
                    await self.close()
                    intended_ns = _now_ns() + int(next(self._delays) * 1e9)
        finally:
            self._arriving = False
        self._arrived_ns = _now_ns()
        for waiter in self._ready_waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._ready_waiters.clear()

    async def _open(self, intended_ns: int, url: str | None) -> None:
        subprotocols = self._settings.subprotocols
        try:
            connection = await self._swarm.opener.open(
                self._settings.target(url or self.url, self.host),
                subprotocols=self.subprotocols if subprotocols is None else subprotocols,
                intended_ns=intended_ns,
            )
        except OpenError as error:
            self.on_error(error)
            raise
        self._connection = connection
        self._closing = False
        self._engine.connections += 1
        connection.attach(self)

    def _is_ready(self) -> bool:
        return self._reconnecting is None

    async def _ready(self) -> None:
        if self._reconnecting is not None:
            waiter: asyncio.Future[None] = self._engine.loop.create_future()
            self._ready_waiters.append(waiter)
            self._yielded = True
            await waiter

    async def _reconnect(self, *, at_once: bool) -> None:
        # Who takes users in only to drop them is asked ever less often, like who does not take them in.
        now_ns = _now_ns()
        if now_ns - self._arrived_ns > STABLE_NS:
            self._delays = _backoff()
        try:
            await self._open_persistently(now_ns if at_once else now_ns + int(next(self._delays) * 1e9))
            self._recorder.count.reconnects += 1
        except StopUser:
            self._stop(True)
        finally:
            self._reconnecting = None

    async def _depart(self) -> None:
        if self._reconnecting is not None:
            self._reconnecting.cancel()
            await asyncio.wait([self._reconnecting])
        await self._drain()
        self._closing = True
        await self._engine.own_turn()
        await self.close()

    async def _drain(self) -> None:
        """For subclasses: awaits the answers still owed, for as long as allowed; the rest is lost."""

    def _recycle(self) -> None:
        if self._connection is not None:
            self._recycling = True
            self._connection.abort()

    def _abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()

    # From the engine and the connection

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        """From the connection: one whole message. For subclasses."""

    def receive_close(self, code: int, reason: str) -> None:
        """From the connection: it is gone."""
        assert self._connection is not None
        kind = self._connection.end_kind
        self._connection = None
        self._engine.connections -= 1
        if not self._closing and not self._recycling:
            self._recorder.failed("close", kind)
        recycled, self._recycling = self._recycling, False
        self._connection_lost(kind, reason)
        self._call_hook(self.on_close, code, reason)
        if self._closing or self._stopping or self._arriving:
            return
        if self._settings.reconnect:
            self._reconnecting = self._engine.loop.create_task(self._reconnect(at_once=recycled))
        else:
            self._recorder.count.users_ended += 1
            self._stop(True)

    def _connection_lost(self, kind: str, reason: str) -> None:
        """For subclasses: gives up what was pending, as failures of this kind."""

    # Shared by the kinds of users

    def _connected(self) -> TimedConnection:
        connection = self._connection
        # While reconnecting only `on_connect` may send, which runs in that very task.
        reconnecting = self._reconnecting
        if connection is None or (reconnecting is not None and asyncio.current_task() is not reconnecting):
            self._unsent("not connected")
        return connection

    def _unsent(self, kind: str) -> NoReturn:
        """Counts a message that was due and could not be sent; raises `NotConnected`."""
        self._due_ns = 0
        self._recorder.count.unsent += 1
        self._recorder.failed("message", kind)
        raise NotConnected(kind)

    def _write_frame(self, connection: TimedConnection, data: bytes, *, text: bool) -> None:
        try:
            connection.send_now(data, text=text)
        except NotConnected:
            self._unsent("not connected")

    def _take_due(self, now_ns: int) -> int:
        """When the message to be sent now was due: the task's due time, once, else now; notes the lag."""
        due_ns, self._due_ns = self._due_ns, 0
        if not due_ns:
            return now_ns
        self._recorder.values["send_lag"].append(now_ns - due_ns)
        return due_ns

    def _lost(self, due_ns: int, kind: str) -> None:
        """Counts a message that was sent and not answered, with its age so far."""
        age_ns = _now_ns() - due_ns
        recorder = self._recorder
        recorder.count.lost += 1
        recorder.values["message.lost"].append(age_ns)
        recorder.failed("message", kind, age_ns)
        if kind == "timeout":
            recorder.count.timeouts += 1

    def _call_hook(self, hook: Any, *args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            self._report(error)


def _backoff() -> Iterator[float]:
    """Seconds between attempts: from 0.1 doubling to 10, each with a random half, so that a swarm spreads."""
    delay = 0.1
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, 10.0)
