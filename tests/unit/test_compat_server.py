"""Canaries: what the chat server needs of `websockets` beyond its documentation is still there, and does that."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from canary import needed
from opening_client import until
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.frames import Frame, Opcode

from wsload.server import compat


def test_a_server_s_connection_is_handed_its_frames_and_writes_prepared_ones() -> None:
    class Connection(compat.FrameConnection):
        __slots__ = ("behind", "frames")

        def receive_frame(self, frame: Frame) -> None:
            self.frames.append((frame.opcode, bytes(frame.data)))

        def overrun(self) -> None:
            self.behind = True

    hello, long = compat.outgoing(b"hello"), compat.outgoing(os.urandom(8 << 20), text=False)
    assert isinstance(hello, compat.Outgoing)

    async def main() -> None:
        async def handle(connection: Any) -> None:
            connection.frames, connection.behind = [], False
            assert connection.deliver(hello) and hello.frame == b"\x81\x05hello"
            await asyncio.sleep(0)
            assert compat.connections_of(server) == 1
            await until(lambda: bool(connection.frames))
            assert connection.frames == [(Opcode.TEXT, b"answer")]
            assert 0 <= time.monotonic_ns() - connection.received_ns < 10e9
            assert not connection.behind and connection.deliver(long) and connection.behind
            connection.drop()
            await connection.wait_closed()
            assert not connection.deliver(hello)
            done.set_result(None)

        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for compression in (None, "deflate"):
            done = asyncio.get_running_loop().create_future()
            async with serve(handle, "127.0.0.1", 0, create_connection=Connection) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                async with connect(f"ws://127.0.0.1:{port}/", compression=compression, proxy=None) as client:
                    assert await client.recv() == "hello"
                    await client.send("answer")
                    await client.wait_closed()
                await asyncio.wait_for(done, 10)

    with needed(
        "websockets",
        "Connection.process_event, .recv_messages, .drain_waiters, .send_data, .data_received, .pause_writing, "
        "Frame.serialize",
        "to serve at its speed",
    ):
        asyncio.run(main())
