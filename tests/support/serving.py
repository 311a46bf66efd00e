"""Servers for locust to load, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self, TypeVar

from websockets.asyncio.server import ServerConnection, serve

T = TypeVar("T")

TcpHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WebSocketHandler = Callable[[ServerConnection], Awaitable[None]]
HOST = "127.0.0.1"


async def echo(connection: ServerConnection) -> None:
    """Answers each message with itself."""
    async for message in connection:
        await connection.send(message)


class Serving:
    """Runs servers on free loopback ports until the end of the ``with`` block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stack = contextlib.AsyncExitStack()
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        # What a handler does wrong, or a client, is for the test to see, not for the log.
        logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._closing.close()

    def run(self, coroutine: Coroutine[Any, Any, T], *, timeout_s: float = 20.0) -> T:
        """The coroutine's result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def free_port(self) -> int:
        """A port that nobody listens on, and nobody will while this runs."""
        closed = self._closing.enter_context(socket.socket())
        closed.bind((HOST, 0))
        return int(closed.getsockname()[1])

    def tcp(self, handler: TcpHandler, *, tls: ssl.SSLContext | None = None) -> int:
        """Starts a plain TCP server; returns its port."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
            writer.close()

        async def start() -> int:
            server = await asyncio.start_server(handle, HOST, 0, ssl=tls)
            await self._stack.enter_async_context(server)
            return int(server.sockets[0].getsockname()[1])

        return self.run(start())

    def websocket(self, handler: WebSocketHandler, **settings: Any) -> int:
        """Starts a WebSocket server with these settings of ``websockets``; returns its port."""

        async def start() -> int:
            server = await self._stack.enter_async_context(serve(handler, HOST, 0, **settings))
            return int(next(iter(server.sockets)).getsockname()[1])

        return self.run(start())

    async def _close(self) -> None:
        ours = asyncio.current_task()
        handlers = [task for task in asyncio.all_tasks() if task is not ours]
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await self._stack.aclose()
