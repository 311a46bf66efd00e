"""The undocumented names of ``websockets`` that the chat server uses, to serve at its speed.

The library's receive queue wakes a task for every message, and its ``broadcast`` encodes the frame again for every
connection. A delivery to one of 100 connections took 7.4 µs of CPU that way, and takes 4.8 µs here, mostly for the
system call. Each item has a canary in tests/unit/test_compat_server.py.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import DATA_OPCODES, TEXT, Frame, Opcode
from websockets.protocol import OPEN, Event
from websockets.server import ServerProtocol

_NO_QUEUE: Final = SimpleNamespace(close=lambda: None)


def connections_of(server: Server) -> int:
    """The number of a server's connections, including those that are still opening."""
    return len(server.handler_tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message encoded once, for any number of connections."""

    data: bytes
    """The payload."""
    frame: bytes
    """The complete frame, which is not masked, for connections without an extension."""
    opcode: Opcode
    """TEXT or BINARY."""


def outgoing(data: bytes, *, text: bool = True) -> Outgoing:
    """Encodes a payload."""
    opcode = Opcode.TEXT if text else Opcode.BINARY
    return Outgoing(data=data, frame=Frame(opcode, data).serialize(mask=False), opcode=opcode)


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

    def deliver(self, message: Outgoing) -> bool:
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
