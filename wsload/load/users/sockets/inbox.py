"""Messages that answer no request, and wait for a task to receive them."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from wsload.errors import ConnectionLost, MessageTimeout, UsageError
from wsload.load.users.sockets.requests import RequestingConnection
from wsload.measure.names import NOT_CONNECTED, TIMEOUT

MOST: Final = 10_000
"""At most this many messages wait; then the oldest are dropped, and counted as unread."""
MAX_UNASKED: Final = 256
"""The same as long as no task has asked for one; many user classes never do."""
MAX_BYTES: Final = 16 << 20
RECEIVE: Final = "receive"
"""The name under which failures to receive are counted."""
_now_ns = time.monotonic_ns


class Stage(enum.Enum):
    """The states of an inbox, in order."""

    LIVE = enum.auto()
    """Messages come."""
    ENDED = enum.auto()
    """The connection is gone, or has not been opened; what came can still be received."""
    FORGOTTEN = enum.auto()
    """The next connection has an inbox of its own."""


class Inbox:
    """The messages of one connection, with their times of arrival, in order."""

    __slots__ = ("_asked", "_bytes", "_iterations", "_messages", "_socket", "_stage", "_waiter")

    def __init__(self, socket: RequestingConnection, *, live: bool) -> None:
        self._socket = socket
        self._messages: deque[tuple[str | bytes, int, int]] = deque()
        self._bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._stage = Stage.LIVE if live else Stage.ENDED
        self._asked = False
        self._iterations = 0
        """How many `messages()` loops are running: they still get what arrived before the connection was gone."""

    def following(self) -> Inbox:
        """Makes the next connection's inbox; what is left here is dropped and counted, unless it is iterated over."""
        found = Inbox(self._socket, live=True)
        found._asked = self._asked
        self._stage = Stage.FORGOTTEN
        self._drop_if_forgotten()
        return found

    def _drop_if_forgotten(self) -> None:
        if self._stage is Stage.FORGOTTEN and not self._iterations:
            self._socket.recorder.count.unread += len(self._messages)
            self._messages.clear()

    def end(self, kind: str, reason: str) -> None:
        """The connection is gone; its messages can still be received."""
        self._stage = Stage.ENDED
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionLost(kind, reason))

    def put(self, message: str | bytes, at_ns: int, size: int) -> None:
        """Adds a message."""
        self._messages.append((message, at_ns, size))
        self._bytes += size
        most = MOST if self._asked else MAX_UNASKED
        while len(self._messages) > most or (self._bytes > MAX_BYTES and len(self._messages) > 1):
            self._bytes -= self._messages.popleft()[2]
            self._socket.recorder.count.unread += 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
            self._socket.progress.turned = True

    def take(self) -> str | bytes:
        """Takes the first message, and its time of arrival as that of the socket's latest."""
        message, self._socket.at_ns, size = self._messages.popleft()
        self._bytes -= size
        return message

    async def receive(self, timeout: float | None) -> str | bytes:
        """The next message. Raises `MessageTimeout` and `ConnectionLost`, counted as failures of ``receive``."""
        self._asked = True
        called_ns, limit_ns = _now_ns(), await self._socket.limit_ns(timeout)
        try:
            # Again if another task has taken the message: it may receive after this one was told, and before it ran.
            while not self._messages:
                if self._stage is not Stage.LIVE:
                    await self._socket.pause(called_ns)
                    raise ConnectionLost(NOT_CONNECTED)
                await self._next(called_ns + limit_ns)
        except (ConnectionLost, MessageTimeout) as error:
            self._socket.recorder.failed(RECEIVE, error.kind, detail=error.detail)
            self._socket.recorder.count.timeouts += isinstance(error, MessageTimeout)
            raise
        return self.take()

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Iterates over messages until the connection ends, whether or not another one is open by then."""
        self._asked = True
        self._iterations += 1
        nothing_yet = True
        try:
            while self._messages or self._stage is Stage.LIVE:
                nothing_yet = False
                if self._messages:
                    yield self.take()
                    continue
                with contextlib.suppress(ConnectionLost):
                    await self._next(None)
            if nothing_yet:
                await self._socket.pause()
        finally:
            self._iterations -= 1
            self._drop_if_forgotten()

    async def _next(self, deadline_ns: int | None) -> None:
        if self._waiter is not None:
            await self._socket.pause()
            raise UsageError("two tasks of a user can't receive from the same connection at once")
        self._waiter = self._socket.engine.loop.create_future()
        timer = None
        if deadline_ns is not None:
            timers, source = self._socket.engine.timers, self._socket.source
            timer = timers.deadline(deadline_ns, self._nothing_came, source=source)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _nothing_came(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(MessageTimeout(TIMEOUT, "no message came"))
