"""Encodes a client's frames (RFC 6455 section 5.2): whole messages and control frames, masked."""

from __future__ import annotations

import random
import struct
from typing import Final

from wsload.errors import UsageError
from wsload.load.ws.compat import apply_mask

FIN: Final = 0x80
RSV1: Final = 0x40
TEXT: Final = FIN | 0x1
"""The first byte of a whole text message."""
BINARY: Final = FIN | 0x2
"""The first byte of a whole binary message."""
CLOSE: Final = FIN | 0x8
PING: Final = FIN | 0x9
PONG: Final = FIN | 0xA

CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""The codes allowed in a close frame: RFC 6455 section 7.4 and IANA's registry."""
LARGE: Final = 1 << 16
"""A payload of at least this size is written separately from the frame's header, to save a copy."""

_MASKED: Final = 0x80
SHORT_TEXT: Final = [bytes((TEXT, _MASKED | length)) for length in range(126)]
"""The headers of text messages of under 126 bytes (the most common), by length."""
_bits = random.getrandbits


def client_frame(data: bytes, *, text: bool) -> bytes:
    """A message as one frame, with a random mask."""
    mask = _bits(32).to_bytes(4, "big")
    return _head(TEXT if text else BINARY, len(data)) + mask + apply_mask(data, mask)


def frame_parts(first: int, data: bytes | memoryview) -> list[bytes]:
    """A frame with this first byte, in parts to be written one by one; a large payload is copied only to mask it."""
    mask = _bits(32).to_bytes(4, "big")
    head, payload = _head(first, len(data)) + mask, apply_mask(data, mask)
    return [head, payload] if len(payload) >= LARGE else [head + payload]


def refuse_unless_message(data: object) -> None:
    """Raises `UsageError` for what can't be sent; it doesn't quote it, because it may hold a secret."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError(
            f"a message must be a str or bytes, not {type(data).__name__}: use json.dumps(...) for a dict or list"
        )


def close_payload(code: int, reason: str) -> bytes:
    """The payload of a close frame. Raises `UsageError` for a code or reason that is not allowed."""
    payload = reason.encode()
    if code not in CLOSE_CODES or len(payload) > 123:
        raise UsageError(
            f"can't close with code {code} and {len(payload)} bytes of reason: a code is 1000 to 1003, "
            "1007 to 1014 or 3000 to 4999, and a reason has up to 123 bytes"
        )
    return code.to_bytes(2, "big") + payload


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", first, _MASKED | length)
    if length < 65536:
        return struct.pack("!BBH", first, _MASKED | 126, length)
    return struct.pack("!BBQ", first, _MASKED | 127, length)
