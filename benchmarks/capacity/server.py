"""A WebSocket server of known capacity: sends each message back when it has been served, one after the other.

    python -m benchmarks.capacity.server PORT bucket RATE      each takes 1/RATE, with a burst of `BURST`
    python -m benchmarks.capacity.server PORT queue RATE       each takes an exponential time of 1/RATE on average

Served is by the clock, not by work: it takes hardly any CPU, so that what it can take is known. Only what is needed of
RFC 6455 is here: short text frames, pings and closes. Port 0 is a free one; it prints the port when it listens. Linux
only.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import hashlib
import random
import re
import sys
import time
from collections.abc import Callable
from typing import Final, cast

import uvloop

from wsload.load.engine import timerfd

BURST: Final = 5
"""Messages that a token bucket lets through at once."""
NEVER_S: Final = 1e8
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"(?i)sec-websocket-key: *(\S+)")
_TEXT, _CLOSE, _PING = 0x1, 0x8, 0x9


class Line:
    """One server for all connections: messages in their order, each due when it has been served."""

    def __init__(self, service_s: Callable[[], float], burst_s: float) -> None:
        self._service_s, self._burst_s = service_s, burst_s
        self._free_s = 0.0
        self._waiting: collections.deque[tuple[float, asyncio.Transport, bytes]] = collections.deque()
        # A loop's own timers are exact to 1 ms, and uvloop's spin before they are due.
        self._timer = timerfd.create()
        asyncio.get_running_loop().add_reader(self._timer, self._release)

    def take(self, transport: asyncio.Transport, frame: bytes) -> None:
        """A message has come; this frame is its answer."""
        self._free_s = max(time.monotonic() - self._burst_s, self._free_s) + self._service_s()
        self._waiting.append((self._free_s, transport, frame))
        if len(self._waiting) == 1:
            self._release()

    def _release(self) -> None:
        now_s, waiting = time.monotonic(), self._waiting
        while waiting and waiting[0][0] <= now_s:
            _, transport, frame = waiting.popleft()
            if not transport.is_closing():
                transport.write(frame)
        # Arming a timer makes it unreadable again until then; years ahead is never.
        due_s = waiting[0][0] if waiting else now_s + NEVER_S
        timerfd.arm(self._timer, int(1e9 * due_s))


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._data = bytearray()
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            self._shake()
        while self._open and self._frame():
            pass

    def _shake(self) -> None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        found = _KEY.search(self._data[:end])
        if found is None:
            self._transport.close()
            return
        accept = base64.b64encode(hashlib.sha1(found[1] + _GUID, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        del self._data[: end + 4]
        self._open = True

    def _frame(self) -> bool:
        """Takes the next frame, if all of it has come: masked, and shorter than 126 bytes."""
        data = self._data
        if len(data) < 6 or len(data) < 6 + data[1] % 128:
            return False
        opcode, length = data[0] % 16, data[1] % 128
        mask = int.from_bytes(bytes(data[2:6]) * (length // 4 + 1), "big") >> (8 * (4 - length % 4))
        payload = (int.from_bytes(data[6 : 6 + length], "big") ^ mask).to_bytes(length, "big")
        del data[: 6 + length]
        if opcode == _TEXT:
            self._line.take(self._transport, bytes((0x80 | _TEXT, length)) + payload)
        elif opcode == _PING:
            self._transport.write(bytes((0x8A, length)) + payload)
        elif opcode == _CLOSE:
            self._transport.write(bytes((0x88, length)) + payload)
            self._transport.close()
        return True


async def main(port: int, kind: str, rate: float) -> None:
    """Serves until it is killed."""
    bucket = kind == "bucket"
    line = Line((lambda: 1 / rate) if bucket else (lambda: random.expovariate(rate)), BURST / rate * bucket)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(line), "127.0.0.1", port, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
