"""A user's WebSocket: requests with answers, and messages without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

from wsload.errors import NotConnected, UsageError
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.sockets.inbox import Inbox
from wsload.load.users.sockets.requests import RequestingConnection
from wsload.load.ws.connection import TimedConnection
from wsload.measure.names import MESSAGE, NOT_CONNECTED

if TYPE_CHECKING:
    from wsload.load.users.sockets.owner import Owner

BURST: Final = 64
"""A task may send this many messages in a row before it must yield to the event loop."""


class _Done:
    """An awaitable that is done."""

    def __await__(self) -> Any:
        return iter(())


class _Turn:
    """An awaitable that yields to the loop once."""

    def __await__(self) -> Any:
        yield


_DONE: Final = _Done()
_TURN: Final = _Turn()


class _Writable:
    """An awaitable that waits for room in the transport's buffer; awaiting it is optional."""

    def __init__(self, connection: TimedConnection) -> None:
        self._connection = connection

    def __await__(self) -> Any:
        return self._connection.ready_to_write().__await__()


class Socket(RequestingConnection):
    """A user's WebSocket. ``key_of`` and ``on_message`` are the user class's, or None if it has none."""

    __slots__ = ("_burst", "_inbox", "_on_message")

    def __init__(
        self,
        owner: Owner,
        context: ProcessContext,
        *,
        main: bool,
        reconnects: bool,
        name: str = MESSAGE,
        key_of: Callable[[Any], Hashable] | None = None,
        on_message: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(owner, context, main=main, reconnects=reconnects, name=name, key_of=key_of)
        self._on_message = on_message
        self._burst = 0
        self._inbox: Inbox | None = None  # created when needed

    @property
    def inbox(self) -> Inbox:
        """The messages that answer no request. Raises `UsageError` if `on_message` takes them."""
        if self._on_message is not None:
            raise UsageError(
                "on_message gets every message that answers no request, so nothing is left to receive"
            )
        if self._inbox is None:
            self._inbox = Inbox(self, live=self.connection is not None)
        return self._inbox

    def _began(self) -> None:
        super()._began()
        if self._inbox is not None:
            self._inbox = self._inbox.following()

    def _lost(self, kind: str, detail: str) -> None:
        super()._lost(kind, detail)
        if self._inbox is not None:
            self._inbox.end(kind, detail)

    def send(self, data: str | bytes) -> Awaitable[None]:
        """Sends a message at once; awaiting it waits while the transport's buffer is full.

        Awaiting raises `NotConnected`, counted as unsent.
        """
        connection = self.usable()
        try:
            if connection is None:
                raise NotConnected(NOT_CONNECTED)
            self._write(connection, data)
        except NotConnected as error:
            return self.unsent(self.name, error)
        except Exception as error:
            return self.refused("send", error)
        if not connection.writable:
            return _Writable(connection)
        self._burst = (self._burst + 1) % BURST
        return _DONE if self._burst else _TURN

    def send_nowait(self, data: str | bytes) -> None:
        """Sends a message at once, for hooks that are not async. Raises `NotConnected`, counted as unsent."""
        connection = self.usable()
        try:
            if connection is None:
                raise NotConnected(NOT_CONNECTED)
            self._write(connection, data)
        except NotConnected as error:
            self.count_unsent(self.name, error.kind)
            raise

    def _write(self, connection: Any, data: str | bytes) -> None:
        raw = data.encode() if isinstance(data, str) else data
        connection.send_now(raw, text=raw is not data)

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message that answers no request; see `WebSocketUser.receive`."""
        if self._on_message is not None:
            await self.pause()  # before the mistake is refused
        return await self.inbox.receive(timeout)

    def messages(self) -> AsyncIterator[str | bytes]:
        """The messages that answer no request; see `WebSocketUser.messages`."""
        return self.inbox.messages() if self._on_message is None else self._no_messages()

    async def _no_messages(self) -> AsyncIterator[str | bytes]:
        await self.pause()
        async for message in self.inbox.messages():  # which is refused
            yield message

    def _pushed(self, message: str | bytes, at_ns: int, size: int) -> None:
        if self._on_message is not None:
            self.at_ns = at_ns
            self.owner._call(self._on_message, message)
        else:
            self.inbox.put(message, at_ns, size)
