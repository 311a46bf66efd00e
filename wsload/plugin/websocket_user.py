"""`WebSocketUser`: a user with one WebSocket, of any protocol; it opens, reconnects, measures, closes."""

from __future__ import annotations

import asyncio
import collections
import inspect
import random
import time
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from locust.exception import StopUser

from wsload.engine.connection import TimedConnection
from wsload.engine.failures import closed_kind
from wsload.errors import ConnectionLost, MessageTimeout, NotConnected, OpenError, WorkloadError
from wsload.plugin.resident import ResidentUser

READ_HIGH: Final = 256
"""With so many messages waiting to be received, reading from the network stops …"""
READ_LOW: Final = 64
"""… until no more than so many are left."""
PING_TIMEOUT_NS: Final = 20_000_000_000
_now_ns = time.monotonic_ns


class WebSocketUser(ResidentUser):
    """A Locust user with one WebSocket connection, opened before `on_start` and closed after `on_stop`.

    When the connection fails or is dropped it is opened again with backoff (unless
    ``--no-ws-reconnect``): everything about that is measured and counted by itself. Methods marked
    async and all hooks run on the loop's thread; what fails raises a `WorkloadError` that was
    already counted, so a task may let it pass.
    """

    abstract = True

    url: str = "/"
    """What to open: a URL, or a path on ``--host``; ``--ws-url`` overrides it."""
    subprotocols: tuple[str, ...] = ()
    """Offered in this order; with any offered, the server must choose one. ``--ws-subprotocol`` overrides."""
    auto_connect: bool = True
    """Whether the connection is opened before `on_start`; otherwise call `connect` yourself."""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if isinstance(cls.subprotocols, str):
            cls.subprotocols = (cls.subprotocols,)
        for hook in ("on_message", "on_close", "on_error"):
            if inspect.iscoroutinefunction(getattr(cls, hook)):
                raise TypeError(f"{cls.__name__}: {hook} is called for every event: a plain 'def', not async")
        if not inspect.iscoroutinefunction(cls.on_connect):
            raise TypeError(f"{cls.__name__}: on_connect must be 'async def'")

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._connection: TimedConnection | None = None
        self._closing = False
        self._reconnecting: asyncio.Task[None] | None = None
        self._ready_waiters: list[asyncio.Future[None]] = []
        self._inbox: collections.deque[str | bytes] = collections.deque()
        self._receiver: asyncio.Future[None] | None = None
        self._asked_ns = 0
        self._received_ns = 0
        self._owed: tuple[int, int] | None = None
        self._recycling = False
        self._arriving = False
        self._hooked = type(self).on_message is not WebSocketUser.on_message

    # What a user class may define

    async def on_connect(self) -> None:
        """Called after every successful opening, the first and each reconnection: log in here."""

    def on_message(self, data: str | bytes) -> None:
        """Called with every message, if overridden; `receive` then has nothing to return."""

    def on_close(self, code: int, reason: str) -> None:
        """Called when the connection is gone: the close code (1006 where no close frame came) and reason."""

    def on_error(self, error: WorkloadError) -> None:
        """Called when an opening failed, after it was counted."""

    # What a task may call

    async def connect(self, url: str | None = None) -> None:
        """Opens the connection, once; recorded as ``open``. Raises `OpenError`; retries are the caller's."""
        await self._open(_now_ns(), url)

    async def send(self, data: str | bytes) -> None:
        """Sends a text (str) or binary (bytes) message; waits while the transport's buffer is full.

        Raises `NotConnected`, counted as unsent.
        """
        connection = self._connected()
        self._write(connection, data)
        if not connection.writable:
            self._yielded = True
            await connection.ready_to_write()

    async def receive(self) -> str | bytes:
        """The next message, text as str and binary as bytes, in order.

        Raises `MessageTimeout` after ``--ws-message-timeout``, `ConnectionLost` when there is none
        left and the connection is gone.
        """
        if not self._inbox:
            if self._connection is None:
                raise ConnectionLost("not connected")
            assert self._receiver is None, "two tasks of a user can't receive at once"
            self._receiver = self._engine.loop.create_future()
            self._asked_ns = _now_ns()
            self._yielded = True
            try:
                await self._receiver
            finally:
                self._receiver = None
        data = self._inbox.popleft()
        if len(self._inbox) == READ_LOW and self._connection is not None:
            self._connection.transport.resume_reading()
        return data

    async def round_trip(self, data: str | bytes) -> str | bytes:
        """Sends, awaits the next message, and records both as one ``message``; returns the reply.

        The response time counts from when the task was due (open workload) or from this call.
        Raises `MessageTimeout` or `ConnectionLost`, counted as a lost message. After a time-out the
        connection is opened anew, since a reply that comes late can't be told from the next one.
        """
        connection = self._connected()
        if self._owed is not None:
            await self._drain()
        sent_ns = _now_ns()
        due_ns = self._take_due(sent_ns)
        self._write(connection, data)
        self._owed = due_ns, sent_ns
        self._engine.in_flight += 1
        return await self._reply(due_ns, sent_ns)

    async def _reply(self, due_ns: int, sent_ns: int) -> str | bytes:
        try:
            reply = await self.receive()
        except WorkloadError as error:
            self._owed = None
            self._engine.in_flight -= 1
            self._lost(due_ns, error.kind)
            if error.kind == "timeout":
                # Its reply, should it still come, would be taken for the next one's: start afresh.
                self._recycle()
            raise
        self._owed = None
        self._engine.in_flight -= 1
        # Stamped when it reached the process, not when this coroutine got its turn.
        values, at_ns = self._recorder.values, self._received_ns
        values["message"].append(at_ns - due_ns)
        values["message.service"].append(at_ns - sent_ns)
        self._recorder.sizes.append(len(reply))
        return reply

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

    async def _arrive(self) -> None:
        if self.auto_connect:
            await self._open_persistently(self._spawned_ns)

    async def _open_persistently(self, intended_ns: int) -> None:
        delays = _backoff()
        self._arriving = True
        try:
            while True:
                try:
                    await self._open(intended_ns, None)
                    await self.on_connect()
                    break
                except WorkloadError:
                    if not self._settings.reconnect:
                        self._recorder.count.users_ended += 1
                        raise StopUser from None
                    await self.close()
                    intended_ns = _now_ns() + int(next(delays) * 1e9)
                    await self._engine.alarm.sleep_until(intended_ns)
        finally:
            self._arriving = False
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
        self._inbox.clear()
        connection.attach(self)

    async def _ready(self) -> None:
        if self._reconnecting is not None:
            waiter: asyncio.Future[None] = self._engine.loop.create_future()
            self._ready_waiters.append(waiter)
            self._yielded = True
            await waiter

    async def _reconnect(self) -> None:
        try:
            await self._open_persistently(_now_ns())
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
        await self.close()

    async def _drain(self) -> None:
        """Awaits the answers still owed, for as long as allowed; the rest is lost."""
        if self._owed is None:
            return
        due_ns, sent_ns = self._owed
        try:
            async with asyncio.timeout(self._settings.drain_s):
                await self._reply(due_ns, sent_ns)
        except TimeoutError:
            self._owed = None
            self._engine.in_flight -= 1
            self._lost(due_ns, "no echo by the end")
        except WorkloadError:
            pass  # counted

    def _recycle(self) -> None:
        if self._connection is not None:
            self._recycling = True
            self._connection.abort()

    def _abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()

    # From the engine and the connection

    def visit(self, now_ns: int) -> None:
        receiver = self._receiver
        if receiver is None or receiver.done():
            return
        if now_ns - self._asked_ns > self._settings.message_timeout_ns:
            receiver.set_exception(MessageTimeout("timeout"))

    def ping(self) -> None:
        if self._connection is not None:
            self._connection.ping_now(PING_TIMEOUT_NS)

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        """From the connection."""
        self._received_ns = at_ns
        message: str | bytes = data.decode() if text else data
        if self._hooked:
            self._call_hook(self.on_message, message)
            return
        self._inbox.append(message)
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)
        if len(self._inbox) == READ_HIGH and self._connection is not None:
            self._connection.transport.pause_reading()
            self._recorder.count.reads_paused += 1

    def receive_close(self, code: int, reason: str) -> None:
        """From the connection: it is gone."""
        self._connection = None
        self._engine.connections -= 1
        if not self._closing and not self._recycling:
            self._recorder.failed("close", closed_kind(code))
        self._recycling = False
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_exception(ConnectionLost(closed_kind(code), reason))
        self._connection_lost(code, reason)
        self._call_hook(self.on_close, code, reason)
        if self._closing or self._stopping or self._arriving:
            return
        if self._settings.reconnect:
            self._reconnecting = self._engine.loop.create_task(self._reconnect())
        else:
            self._recorder.count.users_ended += 1
            self._stop(True)

    def _connection_lost(self, code: int, reason: str) -> None:
        """For subclasses: gives up what was pending."""

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

    def _write(self, connection: TimedConnection, data: str | bytes) -> None:
        if isinstance(data, str):
            self._write_frame(connection, data.encode(), text=True)
        else:
            self._write_frame(connection, data, text=False)

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
