"""The server's side of a connection: messages go straight from the transport to the chat.

The library's receive queue wakes a task for every message, and its ``broadcast`` encodes the frame again for every
connection. A delivery to one of 100 connections took 7.4 µs of CPU that way, and takes 4.8 µs here, mostly for the
system call. The library still does the handshake, control frames, extensions, failing and closing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from wsload.load.ws.compat import FrameConnection, server_frame

_CONT, _TEXT = Opcode.CONT, Opcode.TEXT
MAX_BUFFERED_BYTES: Final = 8 << 20
"""A client that is this far behind in reading is dropped, since a broadcast can't wait."""


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
    """Encodes a payload."""
    opcode = Opcode.TEXT if text else Opcode.BINARY
    return Outgoing(data=data, frame=server_frame(opcode, data), opcode=opcode)


class ChatConnection(FrameConnection):
    """A connection that hands whole messages to ``on_message(connection, data, text)``.

    ``on_overrun`` is called when the client is dropped for reading too slowly.
    """

    # Slots, because an object with more than 30 attributes, the library's included, gets a dict of 1.3 KiB.
    __slots__ = ("_fragments", "_fragments_text", "_on_message", "_on_overrun")

    def __init__(
        self,
        protocol: ServerProtocol,
        *args: Any,
        on_message: Callable[[ChatConnection, bytes, bool], None],
        on_overrun: Callable[[], None],
        **settings: Any,
    ) -> None:
        super().__init__(protocol, *args, **settings)
        self._on_message = on_message
        self._on_overrun = on_overrun
        self._fragments: bytearray | None = None
        self._fragments_text = False

    def fail(self, code: int, reason: str) -> asyncio.Task[None]:
        """Closes the connection with this code; the task ends when it is closed."""
        return asyncio.create_task(self.close(code, reason))

    # Called by `FrameConnection`

    def receive_frame(self, frame: Frame) -> None:
        if frame.fin and frame.opcode is not _CONT:
            self._on_message(self, bytes(frame.data), frame.opcode is _TEXT)
        else:
            self._process_fragment(frame)

    def overrun(self) -> None:
        self._on_overrun()
        self.drop()

    def _process_fragment(self, frame: Frame) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
            self._fragments_text = frame.opcode is _TEXT
        self._fragments += frame.data
        if frame.fin:
            data, self._fragments = bytes(self._fragments), None
            self._on_message(self, data, self._fragments_text)
