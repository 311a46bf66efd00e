"""The undocumented names of ``websockets`` that wsload uses, and no others.

Beside them wsload uses what the library documents: `ClientProtocol` for the opening handshake, the
permessage-deflate extension, `parse_uri`, `Headers`, and its exceptions. The canaries in
tests/unit/test_compat_ws.py name the release that changed one of these.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, Final, Protocol

from websockets.asyncio.client import connect_http_proxy, connect_socks_proxy
from websockets.asyncio.server import Server, ServerConnection
from websockets.client import ClientProtocol
from websockets.extensions import Extension
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
    "FrameConnection",
    "apply_mask",
    "connect_http_proxy",
    "connect_socks_proxy",
    "connections_of",
    "handshake_result",
    "parse_proxy",
]

_NO_QUEUE: Final = SimpleNamespace(close=lambda: None)


def handshake_result(protocol: ClientProtocol) -> tuple[Exception | None, str | None, list[Extension]]:
    """What an answered handshake came to: why it failed, the subprotocol and the extensions agreed on."""
    return protocol.handshake_exc, protocol.subprotocol, protocol.extensions


def connections_of(server: Server) -> int:
    """How many connections a server has, those that are still opening among them."""
    return len(server.handler_tasks)


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
    """

    __slots__ = ()

    def __init__(self, protocol: ServerProtocol, *args: Any, **settings: Any) -> None:
        super().__init__(protocol, *args, **settings)
        # Some 3 KiB less each: no adapter around the logger, no deque where a list does.
        adapter: Any = self.protocol.logger
        self.logger = self.protocol.logger = adapter.logger
        self.drain_waiters = []  # type: ignore[assignment]  # appended to and removed from, as a deque is

    def receive_frame(self, frame: Frame) -> None:
        """For subclasses: one data frame, whole or a fragment."""

    def deliver(self, message: Prepared) -> bool:
        """Writes the message to the transport at once; False when the connection is not open."""
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

    def process_event(self, event: Event) -> None:
        if self.request is None or not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        else:
            self.receive_frame(event)
