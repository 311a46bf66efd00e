"""``TALLY [CERTIFICATE KEY]``: sends every message back, as fast as Python can.

picows on uvloop, so that the server is never what is measured. Prints its port when it listens.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import sys
from pathlib import Path

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from benchmarks.tally import MESSAGES, OPEN, OPENED, Tally

counts = Tally(Path(sys.argv[1])).counts


class Echo(WSListener):  # type: ignore[misc]  # picows has no types where it is not installed
    def on_ws_connected(self, transport: WSTransport) -> None:
        counts[OPENED] += 1
        counts[OPEN] += 1

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        counts[MESSAGES] += frame.fin  # k6 sends what is longer than 4 KiB in fragments
        transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        counts[OPEN] -= 1


async def main() -> None:
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*sys.argv[2:])
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = await ws_create_server(
        lambda request: Echo(),
        sock=listening,
        ssl=tls,
        backlog=4096,
        websocket_handshake_timeout=60,
        max_frame_size=1 << 28,
    )
    gc.freeze()
    print(listening.getsockname()[1], flush=True)
    await server.serve_forever()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
