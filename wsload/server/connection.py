"""The server's side of a connection: messages go straight from the transport to the chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from wsload.server.compat import FrameConnection

_CONT, _TEXT = Opcode.CONT, Opcode.TEXT
MAX_BUFFERED_BYTES: Final = 8 << 20
"""A client that is this far behind in reading is dropped, since a broadcast can't wait."""


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
