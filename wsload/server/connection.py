"""The server's side of a connection: messages go straight from ``data_received`` to the chat.

The library's receive queue wakes a task for every message, and its ``broadcast`` encodes the frame again for every
connection: a delivery to one of 100 connections took 7.4 µs of CPU with it and takes 4.8 µs here, most of which is
the system call. The handshake, control frames, extensions, failing and closing remain the library's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import CONT, DATA_OPCODES, TEXT, Frame, Opcode
from websockets.protocol import OPEN, Event
from websockets.server import ServerProtocol

from wsload.load.ws.lean import shed_extras, shed_queue

MAX_BUFFERED_BYTES: Final = 8 << 20
"""A client that is this far behind in reading is dropped, since a broadcast waits for no one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message encoded once, for any number of connections."""

    data: bytes
    """The payload."""
    frame: bytes
    """The complete frame, for connections without an extension."""
    opcode: Opcode
    """TEXT or BINARY."""


def outgoing(data: bytes, *, text: bool = True) -> Outgoing:
    """Encodes this payload."""
    opcode = Opcode.TEXT if text else Opcode.BINARY
    return Outgoing(data=data, frame=Frame(opcode, data).serialize(mask=False), opcode=opcode)


class ChatConnection(ServerConnection):
    """A connection that hands whole messages to ``on_message(connection, data, text)``.

    ``received_ns`` (monotonic) is when the bytes being processed reached this process.
    ``on_overrun`` is called when the client is dropped for reading too slowly.
    """

    # Slots, because an object with more than 30 attributes, the library's included, gets a dict of 1.3 KiB.
    __slots__ = ("_fragments", "_fragments_text", "_on_message", "_on_overrun", "received_ns")

    def __init__(
        self,
        protocol: ServerProtocol,
        *args: Any,
        on_message: Callable[[ChatConnection, bytes, bool], None],
        on_overrun: Callable[[], None],
        **settings: Any,
    ) -> None:
        super().__init__(protocol, *args, **settings)
        shed_extras(self)
        self._on_message = on_message
        self._on_overrun = on_overrun
        self._fragments: bytearray | None = None
        self._fragments_text = False
        self.received_ns = 0

    def deliver(self, message: Outgoing) -> bool:
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

    def fail(self, code: int, reason: str) -> asyncio.Task[None]:
        """Closes the connection with this code; the task ends when it is closed."""
        return self.loop.create_task(self.close(code, reason))

    # Callbacks of asyncio.Protocol and of the library

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        shed_queue(self)

    def data_received(self, data: bytes) -> None:
        self.received_ns = time.monotonic_ns()
        super().data_received(data)

    def process_event(self, event: Event) -> None:
        if self.request is None or not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif event.fin and event.opcode is not CONT:
            self._on_message(self, bytes(event.data), event.opcode is TEXT)
        else:
            self._process_fragment(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._on_overrun()
        self.transport.abort()

    def _process_fragment(self, frame: Frame) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
            self._fragments_text = frame.opcode is TEXT
        self._fragments += frame.data
        if frame.fin:
            data, self._fragments = bytes(self._fragments), None
            self._on_message(self, data, self._fragments_text)
