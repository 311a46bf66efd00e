"""A client's frames as they go out (RFC 6455 section 5.2): whole messages, masked."""

from __future__ import annotations

import random
import struct
from typing import Final

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without its C part
    from websockets.utils import apply_mask

TEXT: Final = 0x80 | Opcode.TEXT
"""The first byte of a whole text message."""
BINARY: Final = 0x80 | Opcode.BINARY
"""The first byte of a whole binary message."""

_MASKED: Final = 0x80
_SHORT_TEXT: Final = [bytes((TEXT, _MASKED | length)) for length in range(126)]
_bits = random.getrandbits


def client_frame(data: bytes, *, text: bool) -> bytes:
    """One message as one frame, under a mask of its own."""
    mask = _bits(32).to_bytes(4, "big")
    length = len(data)
    if text and length < 126:
        return _SHORT_TEXT[length] + mask + apply_mask(data, mask)
    return _head(TEXT if text else BINARY, length) + mask + apply_mask(data, mask)


def _head(opcode: int, length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", opcode, _MASKED | length)
    if length < 65536:
        return struct.pack("!BBH", opcode, _MASKED | 126, length)
    return struct.pack("!BBQ", opcode, _MASKED | 127, length)
