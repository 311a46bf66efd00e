"""A client's WebSocket frames, sans-I/O: just what the chat needs (RFC 6455 sections 5 and 7).

Deliberately independent of load/ws. No extension is ever offered, so a reserved bit is an error. Invalid UTF-8 is
left to the chat, which ignores such a message.
"""

from __future__ import annotations

import secrets
import struct
from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_CONTINUATION: Final = 0x0
_FIN: Final = 0x80
_MASKED: Final = 0x80


class Violation(ValueError):
    """The server violated the protocol; ``code`` is the close code to fail the connection with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def client_frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame, masked as a client's must be (section 5.3)."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", _FIN | opcode, _MASKED | length)
    elif length < 65536:
        head = struct.pack("!BBH", _FIN | opcode, _MASKED | 126, length)
    else:
        head = struct.pack("!BBQ", _FIN | opcode, _MASKED | 127, length)
    mask = secrets.token_bytes(4)
    stretched = (mask * (length // 4 + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
    return head + mask + masked.to_bytes(length, "big")


class FrameReader:
    """Bytes in, messages and control frames out; ``max_bytes`` is the longest message accepted."""

    __slots__ = ("_buffer", "_max_bytes", "_message", "_message_opcode")

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._message: bytearray | None = None
        self._message_opcode = TEXT

    def feed(self, data: bytes, wanted: bytes = b"") -> list[tuple[int, bytes]]:
        """The messages and control frames that these bytes complete, as (opcode, payload). Raises `Violation`.

        Unfragmented text messages without ``wanted`` in them, mostly posts of other users, are skipped without a copy.
        """
        buffer = self._buffer
        buffer += data
        found: list[tuple[int, bytes]] = []
        position, end = 0, len(buffer)
        while end - position >= 2:
            head, length = buffer[position], buffer[position + 1]
            start = position + 2
            if length > 125:
                size = 2 if length == 126 else 8
                if length <= 127 and end - start < size:
                    break
                length = self._long_length(head, length, buffer[start : start + size])
                start += size
            stop = start + length
            if length > self._max_bytes:
                raise Violation(1009, f"a message of more than {self._max_bytes} bytes")
            if stop > end:
                break
            if head == _FIN | TEXT and self._message is None:
                if buffer.find(wanted, start, stop) >= 0:
                    found.append((TEXT, bytes(buffer[start:stop])))
            else:
                whole = self._other(head, bytes(buffer[start:stop]))
                if whole is not None:
                    found.append(whole)
            position = stop
        del buffer[:position]
        return found

    def _long_length(self, head: int, length: int, extended: bytearray) -> int:
        if length > 127:
            raise Violation(1002, "a server's frame is masked")
        if head & 0x08:
            raise Violation(1002, "a control frame of more than 125 bytes")
        return int.from_bytes(extended, "big")

    def _other(self, head: int, payload: bytes) -> tuple[int, bytes] | None:
        """A control frame, a binary message, or a fragment."""
        final, opcode = head & _FIN, head & 0x0F
        if head & 0x70:
            raise Violation(1002, "a reserved bit is set")
        if opcode in (CLOSE, PING, PONG):
            if not final:
                raise Violation(1002, "a control frame in fragments")
            return opcode, payload
        if opcode not in (TEXT, BINARY, _CONTINUATION):
            raise Violation(1002, f"opcode {opcode} is reserved")
        if (opcode == _CONTINUATION) != (self._message is not None):
            raise Violation(1002, "a fragment out of place")
        if self._message is None:
            self._message, self._message_opcode = bytearray(), opcode
        self._message += payload
        if len(self._message) > self._max_bytes:
            raise Violation(1009, f"a message of more than {self._max_bytes} bytes")
        if not final:
            return None
        message, self._message = bytes(self._message), None
        return self._message_opcode, message
