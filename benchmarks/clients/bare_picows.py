"""``URL CONNECTIONS``: Python's fastest WebSocket library, in Cython, measuring nothing."""

import asyncio
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.clients import MESSAGE

DATA = MESSAGE.encode()


class Talker(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(WSMsgType.TEXT, DATA)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        frame.get_payload_as_utf8_text()
        transport.send(WSMsgType.TEXT, DATA)


async def talk(url: str) -> None:
    transport, _ = await ws_connect(Talker, url, websocket_handshake_timeout=60)
    await transport.wait_disconnected()


async def main(url: str, connections: int) -> None:
    await asyncio.gather(*(talk(url) for _ in range(connections)))


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
