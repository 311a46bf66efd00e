"""Writes frames to a transport, and waits for room in its buffer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from wsload.load.ws.frames import PONG, frame_parts
from wsload.measure.recorder import Recorder

WRITE_HIGH: Final = 32 << 10
"""The transport's high-water mark in bytes."""


class Writer:
    """Writes to one transport, and counts the bytes."""

    __slots__ = ("_pong", "_recorder", "_waiters", "paused", "transport")

    def __init__(self, recorder: Recorder, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(WRITE_HIGH)
        self.transport = transport
        self.paused = False
        """Whether the buffer is full."""
        self._recorder = recorder
        self._waiters: list[asyncio.Future[None]] = []
        self._pong: bytes | None = None

    def write(self, first: int, payload: bytes | memoryview) -> None:
        """Writes one frame with this first byte, unless the transport is closing."""
        if self.transport.is_closing():
            return
        for part in frame_parts(first, payload):
            self._recorder.count.bytes_out += len(part)
            self.transport.write(part)

    def pong(self, payload: bytes) -> None:
        """Answers a ping.

        While the buffer is full, only the latest ping is remembered (RFC 6455 section 5.5.3), so that pongs don't
        pile up for a server that does not read.
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
        """Wakes all that wait in `ready`."""
        release(self._waiters)

    async def ready(self) -> None:
        """Waits until there is room, or the transport is closing."""
        if self.paused and not self.transport.is_closing():
            await wait_in(self._waiters)


async def wait_in(waiters: list[asyncio.Future[None]]) -> None:
    """Waits until `release` is called for this list."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    finally:
        waiters.remove(waiter)


def release(waiters: Iterable[asyncio.Future[None]]) -> None:
    """Wakes all of these waiters."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
