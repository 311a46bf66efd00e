"""Parses what a server sends (RFC 6455 sections 5 to 8): bytes in; messages and control frames out.

Pure: no socket and no clock. A frame's header is checked as soon as it has arrived. A message is stored once,
however many reads or fragments it takes, and is never copied as a whole.
"""

from __future__ import annotations

import codecs
import io
from typing import Final

from wsload.load.ws.deflate import Deflate
from wsload.load.ws.frames import CLOSE_CODES, FIN, PONG, RSV1, TEXT
from wsload.load.ws.rules import MAX_FRAGMENTS, MIN_FRAGMENT, Rule, Violation

BOMB_RATIO: Final = 200
"""Inflated bytes per received byte beyond which a message is suspicious (the default of Apache's mod_deflate)."""

_RSV: Final = 0x70
_CONTROL: Final = 0x08
_UTF8_PIECE: Final = 1 << 20

Received = tuple[int, bytes]
"""A frame's first byte, as if it were whole (`TEXT`, `BINARY`, `CLOSE`, `PING`, `PONG`), and its payload."""


class Reader:
    """Parses one connection's stream. Messages may have up to ``limit`` bytes (inflated)."""

    __slots__ = ("_at", "_compressed", "_data", "_deflate", "_final", "_fragments", "_frame", "_message",
                 "_missing", "_opcode", "idle", "limit", "suspicious")  # fmt: skip

    def __init__(self, limit: int, deflate: Deflate | None = None) -> None:
        self.limit = limit
        self._deflate = deflate
        self._data = b""
        self._at = 0
        # The message being read: its opcode, or 0 between messages, and its payload so far.
        self._opcode = 0
        self._compressed = False
        self._fragments = 0
        self._message = io.BytesIO()
        # The data frame being read: bytes still missing, or -1 between frames.
        self._missing = -1
        self._final = False
        self._frame = self._message
        self.idle = 0
        """Control frames and empty fragments so far."""
        self.suspicious = 0
        """Inflated bytes so far of messages that were inflated more than `BOMB_RATIO`-fold."""

    def feed(self, data: bytes) -> None:
        """Adds bytes for `next` to read."""
        self._data = self._data + data if self._data else data

    def take(self) -> tuple[bytes, int] | None:
        """The buffer and the position of the next message in it; None in the middle of a message."""
        return None if self._opcode or self._missing >= 0 else (self._data, self._at)

    def give_back(self, at: int) -> None:
        """Sets how far the buffer from `take` was read."""
        self._at = at

    @property
    def amid_frame(self) -> bool:
        """Whether the data so far ends in the middle of a frame, or between a message's fragments."""
        return bool(self._opcode or self._missing >= 0 or len(self._data) > self._at)

    def next(self) -> Received | None:
        """The next whole message or control frame; None if more bytes are needed.

        Raises `Violation`, after which it must not be used any more.
        """
        while True:
            if self._missing >= 0:
                if not self._read_payload():
                    return None
                whole = self._end_frame()
            else:
                found = self._read_head()
                if found is None:
                    self._data, self._at = self._data[self._at :], 0
                    return None
                whole = found or None
            if whole is not None:
                return whole

    def _read_head(self) -> Received | tuple[()] | None:
        """Reads a frame's header, and the payload if the frame is a whole message; None if more bytes are needed."""
        data, at = self._data, self._at
        have = len(data) - at
        if not have:
            return None
        first = data[at]
        self._judge(first)
        if have < 2:
            return None
        length = data[at + 1]
        if length > 127:
            raise Violation(Rule.MASK)
        if first & _CONTROL and length > 125:
            raise Violation(Rule.CONTROL_LONG)
        start = at + 2
        if length > 125:
            size = 2 if length == 126 else 8
            if have < 2 + size:
                return None
            start += size
            length = int.from_bytes(data[at + 2 : start], "big")
        stop = start + length
        if first & _CONTROL:
            if stop > len(data):
                return None
            self._at = stop
            self.idle += 1
            return first, data[start:stop]
        self._at = start
        self._begin_frame(first, length)
        if stop <= len(data) and first & FIN and not self._fragments:
            self._at, self._missing, self._opcode = stop, -1, 0
            whole = data[start:stop]
            return first & ~RSV1, _checked(
                first & ~RSV1, self._inflated(whole) if self._compressed else whole
            )
        return ()

    def _judge(self, first: int) -> None:
        """Checks a frame's first byte."""
        opcode = first & 0x0F
        if first & _CONTROL:
            if first & _RSV:
                raise Violation(Rule.RESERVED_BITS, f"{first:#04x}")
            if opcode > PONG & 0x0F:
                raise Violation(Rule.OPCODE, f"opcode {opcode}")
            if not first & FIN:
                raise Violation(Rule.CONTROL_FRAGMENTED)
            return
        if first & _RSV and (first & _RSV != RSV1 or self._deflate is None or not opcode):
            raise Violation(Rule.RESERVED_BITS, f"{first:#04x}")
        if opcode > 2:
            raise Violation(Rule.OPCODE, f"opcode {opcode}")
        if opcode and self._opcode:
            raise Violation(Rule.UNFINISHED)
        if not opcode and not self._opcode:
            raise Violation(Rule.CONTINUATION)

    def _begin_frame(self, first: int, length: int) -> None:
        opcode = first & 0x0F
        if opcode:
            self._opcode = opcode
            self._compressed = bool(first & RSV1)
            self._fragments = 0
            size = 0
        else:
            self._fragments += 1
            size = self._message.tell()
            if self._fragments > MAX_FRAGMENTS + size // MIN_FRAGMENT:
                raise Violation(Rule.FRAGMENTS, f"{self._fragments} fragments hold {size} bytes")
        if length > self.limit - size:
            raise Violation(Rule.TOO_BIG, f"{size + length} bytes")
        self._missing = length
        self._final = bool(first & FIN)
        if not length and not self._final:
            self.idle += 1
        self._frame = io.BytesIO() if self._compressed else self._message

    def _read_payload(self) -> bool:
        """Stores the frame's payload as far as it has arrived; returns whether it is complete."""
        data, at = self._data, self._at
        have = len(data) - at
        if have > self._missing:
            stop = at + self._missing
            self._frame.write(data[at:stop])
            self._at, self._missing = stop, 0
            return True
        self._frame.write(data[at:] if at else data)
        self._missing -= have
        self._data, self._at = b"", 0
        return not self._missing

    def _end_frame(self) -> Received | None:
        """Adds the frame to its message; returns the message if it is complete."""
        self._missing = -1
        if self._compressed:
            self._message.write(self._inflated(self._frame.getvalue()))
        if not self._final:
            return None
        first = FIN | self._opcode
        message, self._message = self._message.getvalue(), io.BytesIO()
        self._frame = self._message
        self._opcode = self._fragments = 0
        return first, _checked(first, message)

    def _inflated(self, data: bytes) -> bytes:
        """The payload of the compressed frame that has ended."""
        assert self._deflate is not None
        inflated = self._deflate.inflate(data, final=self._final, limit=self.limit - self._message.tell())
        if len(inflated) > BOMB_RATIO * (len(data) + 1):
            self.suspicious += len(inflated)
        return inflated


def _checked(first: int, message: bytes) -> bytes:
    if first == TEXT and not message.isascii() and not _is_utf8(message):
        raise Violation(Rule.UTF8)
    return message


def _is_utf8(data: bytes) -> bool:
    """Whether it is UTF-8, without decoding all of it at once."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _UTF8_PIECE):
            decoder.decode(data[start : start + _UTF8_PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def parse_close(payload: bytes) -> tuple[int, str]:
    """A close frame's code and reason; 1005 for none (section 7.1.5). Raises `Violation`."""
    if not payload:
        return 1005, ""
    if len(payload) == 1:
        raise Violation(Rule.CLOSE_SHORT, "one byte")
    code = int.from_bytes(payload[:2], "big")
    try:
        reason = payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(Rule.UTF8, "the reason of a close frame") from None
    if code not in CLOSE_CODES:
        raise Violation(Rule.CLOSE_CODE, str(code))
    return code, reason
