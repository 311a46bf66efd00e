"""The undocumented names of ``websockets`` that wsload uses. No other file uses any.

The documented API that wsload uses is `ClientProtocol` for the opening handshake, the permessage-deflate
extension, `parse_uri`, `Headers`, and the exceptions. Each item here has a canary in
tests/unit/test_compat_ws.py, which names the version when a release changes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final, Protocol

from websockets.asyncio.client import connect_http_proxy, connect_socks_proxy
from websockets.asyncio.server import Server, ServerConnection
from websockets.client import ClientProtocol
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import DATA_OPCODES, TEXT, Frame, Opcode
from websockets.http11 import USER_AGENT
from websockets.protocol import OPEN, Event
from websockets.proxy import parse_proxy
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without its C extension
    from websockets.utils import apply_mask

__all__ = [
    "USER_AGENT",
    "Compression",
    "FrameConnection",
    "apply_mask",
    "compression",
    "connect_http_proxy",
    "connect_socks_proxy",
    "connections_of",
    "handshake_result",
    "parse_proxy",
    "server_frame",
    "set_key",
]

_NO_QUEUE: Final = SimpleNamespace(close=lambda: None)


def handshake_result(protocol: ClientProtocol) -> tuple[Exception | None, str | None, list[Extension]]:
    """The result of an answered handshake: the error, and the subprotocol and extensions agreed on."""
    return protocol.handshake_exc, protocol.subprotocol, protocol.extensions


def set_key(protocol: ClientProtocol, key: bytes) -> None:
    """Makes it check the answer to this ``Sec-WebSocket-Key``, instead of its own."""
    protocol.key = key.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """What was agreed on for permessage-deflate (RFC 7692, section 7.1)."""

    bits_in: int
    """The base-2 logarithm of the window with which the server compresses."""
    bits_out: int
    """The same for the client."""
    fresh_in: bool
    """Whether each of the server's messages is compressed by itself."""
    fresh_out: bool
    """The same for the client's."""


def compression(extensions: Iterable[Extension]) -> Compression | None:
    """What was agreed on for permessage-deflate; None if it is not used."""
    for each in extensions:
        if isinstance(each, PerMessageDeflate):
            return Compression(
                bits_in=each.remote_max_window_bits,
                bits_out=each.local_max_window_bits,
                fresh_in=each.remote_no_context_takeover,
                fresh_out=each.local_no_context_takeover,
            )
    return None


def connections_of(server: Server) -> int:
    """The number of a server's connections, including those that are still opening."""
    return len(server.handler_tasks)


def server_frame(opcode: Opcode, data: bytes) -> bytes:
    """A whole message as one frame of a server's, which is not masked."""
    return Frame(opcode, data).serialize(mask=False)


class Prepared(Protocol):
    """A message encoded once, for any number of connections."""

    @property
    def data(self) -> bytes:
        """The payload."""

    @property
    def frame(self) -> bytes:
        """The whole frame, for connections without an extension."""

    @property
    def opcode(self) -> Opcode:
        """TEXT or BINARY."""


class FrameConnection(ServerConnection):
    """A server's connection that hands every data frame to `receive_frame`, past the library's queue.

    The handshake, control frames, extensions, failing and closing stay the library's.

    ``received_ns`` (monotonic) is when the bytes being processed reached this process.
    """

    __slots__ = ("received_ns",)

    def __init__(self, protocol: ServerProtocol, *args: Any, **settings: Any) -> None:
        super().__init__(protocol, *args, **settings)
        # Saves some 3 KiB per connection: no adapter around the logger, and a list instead of a deque.
        adapter: Any = self.protocol.logger
        self.logger = self.protocol.logger = adapter.logger
        self.drain_waiters = []  # type: ignore[assignment]  # only needs append and remove
        self.received_ns = 0

    def receive_frame(self, frame: Frame) -> None:
        """For subclasses: called for every data frame, a whole message or a fragment."""

    def overrun(self) -> None:
        """For subclasses: called when more than ``write_limit`` bytes wait for the peer to read them."""

    def deliver(self, message: Prepared) -> bool:
        """Writes the message to the transport at once; returns False if the connection is not open."""
        protocol = self.protocol
        if protocol.state is not OPEN or self.transport.is_closing():
            return False
        if protocol.extensions:
            (protocol.send_text if message.opcode is TEXT else protocol.send_binary)(message.data)
            self.send_data()
        else:
            self.transport.write(message.frame)
        return True

    def drop(self) -> None:
        """Drops the TCP connection."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        queue: Any = _NO_QUEUE
        self.recv_messages = queue

    def data_received(self, data: bytes) -> None:
        self.received_ns = time.monotonic_ns()
        super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.overrun()

    def process_event(self, event: Event) -> None:
        if self.request is None or not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        else:
            self.receive_frame(event)
