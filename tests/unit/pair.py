"""A `TimedConnection` opposite the library's own server protocol, without a network between them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from wsload.load.engine.timers import DelayQueue, TimerQueue
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.handshake import Handshake
from wsload.load.ws.logger import QuietLogger
from wsload.load.ws.upgrading import Upgrade
from wsload.measure.interval import Interval
from wsload.measure.recorder import Recorder

URI = parse_uri("ws://127.0.0.1:1/")
MAX_SIZE = 1000
QUIET: Any = QuietLogger()

Message = tuple[bytes, bool]


class Wire(asyncio.Transport):
    """A transport without a network: keeps what is written, and can be read out."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = asyncio.Event()
        self.closing = False
        self.reading = True
        self.protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        assert not self.closing, "written to after its end"
        self.written.append(bytes(data))

    def take(self) -> bytes:
        data = b"".join(self.written)
        self.written.clear()
        return data

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True
        self.aborted.set()

    def pause_reading(self) -> None:
        assert self.reading and not self.closing
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading and not self.closing
        self.reading = True


class Listener:
    """A sink that keeps all it is told, in order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.stamps: list[int] = []
        self.closes: list[tuple[int, str]] = []

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        assert not self.closes
        assert type(data) is bytes
        self.messages.append((data, text))
        self.stamps.append(at_ns)

    def receive_close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))


class Pair:
    """A `TimedConnection` and the library's server protocol, without a network between them."""

    def __init__(self, *, deflate: bool = False, max_size: int = MAX_SIZE, close_timeout: float = 9) -> None:
        self.recorder = Recorder()
        self.server = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory()] if deflate else None, logger=QUIET
        )
        self.wire = Wire()
        self.listener = Listener()
        timers = TimerQueue(asyncio.get_running_loop(), timerfd=False)
        self.upgrade = Upgrade(
            Handshake(URI, headers=Headers(), compression=deflate),
            recorder=self.recorder,
            close_timeouts=DelayQueue(timers, int(close_timeout * 1e9), deadlines=True),
            limit=max_size,
        )
        self.wire.set_protocol(self.upgrade)
        self.upgrade.connection_made(self.wire)
        self.server.receive_data(self.wire.take())
        (request,) = self.server.events_received()
        self.server.send_response(self.server.accept(request))  # type: ignore[arg-type]
        self.response = self.said()

    @classmethod
    def open(cls, **settings: Any) -> Pair:
        """The same, its handshake done and its listener attached."""
        pair = cls(**settings)
        pair.arrive(pair.response)
        pair.client.attach(pair.listener)
        return pair

    @property
    def is_open(self) -> bool:
        """Whether the handshake is done."""
        return self.upgrade.opened.done()

    @property
    def client(self) -> TimedConnection:
        """The connection, once the handshake is done."""
        return self.upgrade.opened.result()

    def arrive(self, data: bytes) -> None:
        """These bytes come from the network."""
        self.wire.protocol.data_received(data)

    def lose(self, error: Exception | None = None) -> None:
        """The TCP connection is gone."""
        self.wire.closing = True
        protocol, self.wire.protocol = self.wire.protocol, None
        protocol.connection_lost(error)

    def said(self) -> bytes:
        """What the server has to send."""
        return b"".join(self.server.data_to_send())

    def heard(self) -> list[Frame]:
        """What the server gets of what the client wrote."""
        self.server.receive_data(self.wire.take())
        return self.server.events_received()  # type: ignore[return-value]

    def interval(self) -> Interval:
        """What the client has recorded."""
        return self.recorder.freeze(start_s=0, length_s=1, gauges={}).interval()

    @property
    def closed_with(self) -> int | None:
        """The code of the close frame that the client sent."""
        self.heard()
        return None if self.server.close_rcvd is None else int(self.server.close_rcvd.code)


def on_loop(body: Callable[[], Awaitable[None]]) -> None:
    """A connection needs a running loop, though hardly ever uses it."""

    async def main() -> None:
        async with asyncio.timeout(20):
            await body()

    asyncio.run(main())


def chunks(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data, cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in itertools.pairwise(places)]


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)
