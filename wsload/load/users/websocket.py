"""`WebSocketUser`: one WebSocket of any protocol; it sends, receives, and measures round trips."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from wsload.errors import ConnectionLost, MessageTimeout, WorkloadError
from wsload.load.users.connected import ConnectedUser
from wsload.load.users.declared import check_plain
from wsload.load.ws.connection import TimedConnection
from wsload.measure.names import Kind

READ_HIGH: Final = 256
"""With so many messages waiting to be received, reading from the network stops …"""
READ_LOW: Final = 64
"""… until no more than so many are left."""
_now_ns = time.monotonic_ns


class WebSocketUser(ConnectedUser):
    """A Locust user with one WebSocket connection, opened before `on_start` and closed after `on_stop`.

    When the connection fails or is dropped it is opened again with backoff (unless
    ``--no-ws-reconnect``): everything about that is measured and counted by itself. Methods marked
    async and all hooks run on the loop's thread; what fails raises a `WorkloadError` that was
    already counted, so a task may let it pass.
    """

    abstract = True
    __slots__ = ("_asked_ns", "_hooked", "_inbox", "_owed", "_received_ns", "_receiver")

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        check_plain(cls, "on_message")

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._recorder.declare("message", Kind.REQUEST)
        self._inbox: list[str | bytes] = []  # a deque is 760 bytes, and this one is seldom longer than 1
        self._receiver: asyncio.Future[None] | None = None
        self._asked_ns = 0
        self._received_ns = 0
        self._owed: tuple[int, int] | None = None
        self._hooked = type(self).on_message is not WebSocketUser.on_message

    # What a user class may define

    def on_message(self, data: str | bytes) -> None:
        """Called with every message, if overridden; `receive` then has nothing to return."""

    # What a task may call

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
            await self._next()
        return self._taken()

    def _next(self) -> asyncio.Future[None]:
        """What to await when the inbox is empty."""
        if self._connection is None:
            raise ConnectionLost("not connected")
        assert self._receiver is None or self._receiver.done(), "two tasks of a user can't receive at once"
        self._receiver = self._engine.loop.create_future()
        self._asked_ns = _now_ns()
        self._yielded = True
        return self._receiver

    def _taken(self) -> str | bytes:
        """The inbox's first message."""
        data = self._inbox.pop(0)
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
            if not self._inbox:
                await self._next()
        except WorkloadError as error:
            self._owed = None
            self._engine.in_flight -= 1
            self._lost(due_ns, error.kind)
            if error.kind == "timeout":
                # Its reply, should it still come, would be taken for the next one's: start afresh.
                self._recycle()
            raise
        reply = self._taken()
        self._owed = None
        self._engine.in_flight -= 1
        # Stamped when it reached the process, not when this coroutine got its turn.
        values, at_ns = self._recorder.values, self._received_ns
        values["message"].append(at_ns - due_ns)
        values["message.service"].append(at_ns - sent_ns)
        self._recorder.sizes["message"].append(len(reply))
        return reply

    async def _open(self, intended_ns: int, url: str | None) -> None:
        self._inbox.clear()
        await super()._open(intended_ns, url)

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

    # From the engine and the connection

    def visit(self, now_ns: int) -> None:
        receiver = self._receiver
        if receiver is None or receiver.done():
            return
        if now_ns - self._asked_ns > self._settings.message_timeout_ns:
            receiver.set_exception(MessageTimeout("timeout"))

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

    def _connection_lost(self, kind: str, reason: str) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_exception(ConnectionLost(kind, reason))

    def _write(self, connection: TimedConnection, data: str | bytes) -> None:
        if isinstance(data, str):
            self._write_frame(connection, data.encode(), text=True)
        else:
            self._write_frame(connection, data, text=False)
