"""Additional connections of a user: opened, measured and closed like the first, for an ``async with`` block."""

from __future__ import annotations

import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from types import TracebackType
from typing import Any, Final

from wsload.errors import UsageError
from wsload.load.users.context.here import current_due
from wsload.load.users.matching.rules import Match
from wsload.load.users.sockets.opening import Opening
from wsload.load.users.sockets.socket import Socket
from wsload.load.users.sockets.states import State
from wsload.load.users.sockets.tally import Check
from wsload.measure.names import MESSAGE

NO_KEY: Final = "a request's key can't be None, which key_of returns for messages that answer no request"
"""Why a request without a key is refused."""
NOT_OPENED: Final = "nothing was opened: write 'async with' or 'await' before self.open(…)"
CALL: Final = "WebSocketUser.open"
"""The name under which a forgotten await is counted."""

_opened_at: Final[set[str]] = set()
"""The places in user classes whose calls have been awaited."""


class ExtraSocket:
    """An additional connection, with the same methods as a user has for its first."""

    __slots__ = ("__weakref__", "_made", "_opening", "_place", "_user")

    def __init__(
        self,
        user: Any,
        opening: Opening,
        name: str,
        key_of: Callable[[Any], Hashable] | None,
        on_message: Callable[[Any], object] | None,
        *,
        place: str,
    ) -> None:
        """``place`` is where the user class calls `WebSocketUser.open`."""
        self._place = ""
        self._user = user
        self._opening = opening
        self._made = Socket(
            user,
            user._context,
            main=False,
            reconnects=False,
            name=name or MESSAGE,
            key_of=key_of or user._hooks()["key_of"],
            on_message=on_message,
        )
        if user._further is None:
            user._further = weakref.WeakSet()
        user._further.add(self)
        self._place = place  # until the call is awaited

    def __del__(self) -> None:
        self.note_if_forgotten()

    def note_if_forgotten(self) -> None:
        """Counts a call that was never awaited.

        At its user's end only if no other from that place was: the user may just not have come to one kept for later.
        """
        place, self._place = self._place, ""
        if place and not (self._user._life.cut_short and place in _opened_at):
            self._user._context.on_forgotten(CALL, place)

    @property
    def _socket(self) -> Socket:
        """The connection. Raises `UsageError` if its opening was not awaited."""
        if self._place:
            raise UsageError(NOT_OPENED)
        return self._made

    async def __aenter__(self) -> ExtraSocket:
        if self._place:
            _opened_at.add(self._place)
            self._place = ""
        # Before it is open, so that the end of the user ends its opening.
        self._user._extra = [*self._others_open(), self._made]
        due_ns, lag_ns = current_due.get().opening(time.monotonic_ns())
        try:
            await self._made.open(self._opening, due_ns, lag_ns)
        except BaseException:
            self._forget()
            raise
        return self

    def _others_open(self) -> list[Socket]:
        return [
            each
            for each in self._user._extra or ()
            if each is not self._made and each.state is not State.CLOSED
        ]

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, ___: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._made.drain(self._user._context.settings.drain_s)
        finally:
            await self.close()

    def __await__(self) -> Any:
        return self.__aenter__().__await__()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection and waits for it."""
        try:
            await self._made.close(code, reason)
        finally:
            self._forget()

    def _forget(self) -> None:
        if self._made.state is State.CLOSED:  # else the end of the user waits for it
            self._user._extra = self._others_open()

    def request(
        self,
        data: str | bytes,
        *,
        key: Hashable,
        name: str | None = None,
        check: Check | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """As `WebSocketUser.request`, on this connection."""
        socket = self._made
        if socket.key_of is None:
            text = "request() needs key_of: define it in the user class, or pass it to open()"
            return socket.refused("request", UsageError(text))
        if key is None:
            return socket.refused("request", UsageError(NO_KEY))
        if self._place:
            return socket.refused("request", UsageError(NOT_OPENED))
        return socket.request(data, key=key, name=name, check=check, timeout=timeout)

    def round_trip(
        self,
        data: str | bytes,
        *,
        name: str | None = None,
        match: Match | None = None,
        check: Check | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """As `WebSocketUser.round_trip`, on this connection."""
        if self._place:
            return self._made.refused("round_trip", UsageError(NOT_OPENED))
        return self._made.request(data, match=match, name=name, check=check, timeout=timeout)

    def send(self, data: str | bytes) -> Awaitable[None]:
        """As `WebSocketUser.send`, on this connection."""
        if self._place:
            return self._made.refused("send", UsageError(NOT_OPENED))
        return self._made.send(data)

    def send_nowait(self, data: str | bytes) -> None:
        """As `WebSocketUser.send_nowait`, on this connection."""
        self._socket.send_nowait(data)

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """As `WebSocketUser.receive`, on this connection."""
        if self._place:
            await self._made.pause()  # before the mistake is refused
        return await self._socket.receive(timeout)

    def messages(self) -> AsyncIterator[str | bytes]:
        """As `WebSocketUser.messages`, on this connection."""
        return self._not_opened() if self._place else self._made.messages()

    async def _not_opened(self) -> AsyncIterator[str | bytes]:
        await self._made.pause()
        async for message in self._socket.messages():  # which is refused
            yield message

    @property
    def received_at(self) -> float:
        """As `WebSocketUser.received_at`, for this connection."""
        return self._socket.at_ns / 1e9
