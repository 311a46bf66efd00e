"""Performs the opening handshake on a transport, which it then passes to a `TimedConnection`."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from wsload.load.engine.timers import DelayQueue
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.handshake import Handshake
from wsload.measure.recorder import Recorder

REFUSAL_WAIT_S: Final = 0.5
"""How long to wait for the body of a refused upgrade."""
_now_ns = time.monotonic_ns


class Upgrade(asyncio.Protocol):
    """Sends the request of a `Handshake` and awaits the answer; the future ``opened`` is the connection.

    ``opened`` raises what `Handshake` raises, or the transport's error; then the transport is dropped.
    """

    def __init__(
        self, handshake: Handshake, *, recorder: Recorder, close_timeouts: DelayQueue, limit: int = 1 << 20
    ) -> None:
        self._handshake = handshake
        self._recorder = recorder
        self._limit = limit
        self._close_timeouts = close_timeouts
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None
        self.made_ns = 0
        """When the transport was ready, after TLS."""
        self.opened: asyncio.Future[TimedConnection] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made_ns = _now_ns()
        self.transport = transport  # type: ignore[assignment]  # uvloop has classes of its own
        self.transport.write(self._handshake.request_bytes())  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        at_ns = _now_ns()
        if self.opened.done():
            return
        try:
            tail = self._handshake.receive(data)
        except Exception as error:
            self._fail(error)
            return
        if tail is not None:
            self._open(at_ns, tail)
        elif self._handshake.refused and self._timer is None:
            self._timer = self._loop.call_later(REFUSAL_WAIT_S, self._fail, self._handshake.end())

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or self._handshake.end())

    def abort(self) -> None:
        """Gives up."""
        self.opened.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _open(self, at_ns: int, tail: bytes) -> None:
        assert self.transport is not None
        connection = TimedConnection(
            self.transport,
            recorder=self._recorder,
            close_timeouts=self._close_timeouts,
            limit=self._limit,
            deflate=self._handshake.deflate,
            subprotocol=self._handshake.subprotocol,
            made_ns=self.made_ns,
            response_ns=at_ns,
        )
        self.transport.set_protocol(connection)
        self.opened.set_result(connection)
        if tail:
            connection.data_received(tail)

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
        self.abort()
