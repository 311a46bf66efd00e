"""``ACCOUNT``: sends every message back, with stalls, and keeps an account of each answer's time.

In every period of `PERIOD_S` nothing is answered during the last `STALL_S`; what was held is answered then. Prints its
port when it listens. When its standard input ends, it writes the number of answers and their percentiles (ms), from a
message's arrival to its answer's sending, to ACCOUNT as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
from array import array
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from benchmarks.stalls import PERCENTILES, PERIOD_S, STALL_S

taken: Final = array("d")
held: Final[list[tuple[WSTransport, bytes, float]]] = []


class Echo(WSListener):  # type: ignore[misc]  # picows has no types where it is not installed
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        at = monotonic()
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif at % PERIOD_S < PERIOD_S - STALL_S:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())
            taken.append(monotonic() - at)
        else:
            held.append((transport, frame.get_payload_as_bytes(), at))


async def release() -> None:
    """Answers what was held, at the end of each stall."""
    while True:
        await asyncio.sleep(PERIOD_S - monotonic() % PERIOD_S)
        waiting, held[:] = held[:], []
        for transport, data, at in waiting:
            transport.send(WSMsgType.TEXT, data)
            taken.append(monotonic() - at)


async def main() -> None:
    """Serves until standard input ends."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await ws_create_server(
        lambda request: Echo(), sock=listening, backlog=4096, websocket_handshake_timeout=60
    )
    releasing = asyncio.create_task(release())
    gc.freeze()
    print(listening.getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    releasing.cancel()


def account() -> dict[str, object]:
    """What was answered."""
    found = np.percentile(np.array(taken), PERCENTILES) * 1000 if taken else []
    return {"count": len(taken), "ms": dict(zip(map(str, PERCENTILES), map(float, found), strict=False))}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    Path(sys.argv[1]).write_text(json.dumps(account()))
