"""An opener to test with, and servers for it on the very same loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from support.serving import TcpHandler
from websockets.asyncio.server import ServerConnection, serve

from wsload.errors import OpenError
from wsload.load.engine.timers import TimerQueue
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.opening import Opener, OpenOptions
from wsload.measure.interval import Interval
from wsload.measure.recorder import Recorder


class Client:
    """An opener with its recorder."""

    def __init__(self, **options: Any) -> None:
        self.recorder = Recorder()
        timers = TimerQueue(asyncio.get_running_loop(), timerfd=False)
        self.opener = Opener(OpenOptions(**{"ping_interval_s": None, **options}), self.recorder, timers)

    async def open(
        self, url: str, *subprotocols: str, intended_ns: int | None = None, **asked: Any
    ) -> TimedConnection:
        return await self.opener.open(
            url,
            subprotocols=subprotocols,
            intended_ns=time.monotonic_ns() if intended_ns is None else intended_ns,
            **asked,
        )

    async def fails(self, url: str, *subprotocols: str) -> str:
        """The kind of `failure`."""
        return (await self.failure(url, *subprotocols)).kind

    async def failure(self, url: str, *subprotocols: str, **asked: Any) -> OpenError:
        """Fails to open, as it should; the error, once it is sure that it was counted."""
        with pytest.raises(OpenError) as caught:
            await self.open(url, *subprotocols, **asked)
        interval = self.interval()
        assert interval.failures == {("open", caught.value.kind): 1}
        assert interval.counters["open_failures"] == 1 and "opens" not in interval.counters
        assert "open" not in interval.histograms
        assert "\n" not in str(caught.value)
        return caught.value

    def interval(self) -> Interval:
        return self.recorder.freeze(start_s=0, length_s=1, gauges={}).interval()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await body()
            for _ in range(3):
                await asyncio.sleep(0)  # what was dropped last is closed in a later turn

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def wait_closed(connection: ServerConnection) -> None:
    await connection.wait_closed()


@asynccontextmanager
async def served(
    handler: Callable[[ServerConnection], Awaitable[None]] = wait_closed, **settings: Any
) -> AsyncIterator[int]:
    """A WebSocket server's port."""
    async with serve(handler, "127.0.0.1", 0, **settings) as server:
        yield int(next(iter(server.sockets)).getsockname()[1])


@asynccontextmanager
async def served_tcp(handler: TcpHandler, **settings: Any) -> AsyncIterator[int]:
    """A TCP server's port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **settings)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def responding(response: str) -> TcpHandler:
    """Answers every request like this, and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response.encode())
        await writer.drain()

    return handle


async def until(true: Callable[[], bool]) -> None:
    """Returns once this is true, which may take some turns of the loop."""
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true")
