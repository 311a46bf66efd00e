"""Writing frames to a transport, and waiting for room in its buffer."""

from __future__ import annotations

import asyncio
from typing import Final

from wsload.load.ws.frames import PONG, frame_parts
from wsload.measure.recorder import Recorder

WRITE_HIGH: Final = 32 << 10
"""Bytes in the transport's buffer from which on there is no room."""


class Writer:
    """Writes to one transport, and counts the bytes."""

    __slots__ = ("_pong", "_recorder", "_waiters", "paused", "transport")

    def __init__(self, recorder: Recorder, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(WRITE_HIGH)
        self.transport = transport
        self.paused = False
        """Whether there is no room."""
        self._recorder = recorder
        self._waiters: list[asyncio.Future[None]] = []
        self._pong: bytes | None = None

    def write(self, first: int, payload: bytes | memoryview) -> None:
        """Writes one frame with this first byte; nothing once the transport is closing."""
        if self.transport.is_closing():
            return
        for part in frame_parts(first, payload):
            self._recorder.count.bytes_out += len(part)
            self.transport.write(part)

    def pong(self, payload: bytes) -> None:
        """Answers a ping.

        To a server that does not read, only the latest is answered once it does (RFC 6455 section 5.5.3), so
        that pongs don't pile up.
        """
        if self.paused:
            self._pong = payload
        else:
            self.write(PONG, payload)

    def resume(self) -> None:
        """There is room again."""
        self.paused = False
        if self._pong is not None:
            self.write(PONG, self._pong)
        self._pong = None
        self.release()

    def release(self) -> None:
        """Lets those go on that wait for room."""
        release(self._waiters)

    async def ready(self) -> None:
        """Returns once there is room, or there is no use in waiting."""
        if self.paused and not self.transport.is_closing():
            await wait_in(self._waiters)


async def wait_in(waiters: list[asyncio.Future[None]]) -> None:
    """Returns once `release` is called for these waiters."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    finally:
        waiters.remove(waiter)


def release(waiters: list[asyncio.Future[None]]) -> None:
    """Lets all go on that wait in this list."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
