"""permessage-deflate (RFC 7692), as the library negotiated it."""

from __future__ import annotations

import zlib
from typing import Any, Final

from wsload.load.ws.compat import Compression
from wsload.load.ws.rules import Rule, Violation

MEMORY_LEVEL: Final = 5
"""Of compressors: below zlib's default of 8 one takes 147 KB instead of 262 at 15 bits (zconf.h), and deflates
a little less."""
_TAIL: Final = b"\x00\x00\xff\xff"
"""The end of an empty block, which a message's last frame leaves out (section 7.2.1)."""
_CHEAP: Final = 2048
"""Copying this few bytes costs less than avoiding the copy."""


class Deflate:
    """Deflates whole messages and inflates frames, in order."""

    __slots__ = ("_agreed", "_deflater", "_inflater")

    def __init__(self, agreed: Compression) -> None:
        self._agreed = agreed
        # None between messages that are each compressed by themselves.
        self._deflater: Any = None
        self._inflater: Any = None

    def deflate(self, data: bytes) -> bytes | memoryview:
        """The payload of a message's only frame, which must have its first reserved bit set."""
        deflater = self._deflater
        if deflater is None:
            deflater = zlib.compressobj(wbits=-self._agreed.bits_out, memLevel=MEMORY_LEVEL)
            self._deflater = None if self._agreed.fresh_out else deflater
        found = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        return found[:-4] if len(found) < _CHEAP else memoryview(found)[:-4]

    def inflate(self, data: bytes, *, final: bool, limit: int) -> bytes:
        """The payload of a frame of a compressed message. Raises `Violation`, also beyond ``limit`` bytes."""
        inflater = self._inflater
        # A block may say that it is the last (section 7.2.3.4); what follows it is a new stream.
        if inflater is None or inflater.eof:
            inflater = self._inflater = zlib.decompressobj(wbits=-self._agreed.bits_in)
        try:
            if not final or len(data) < _CHEAP:
                found: bytes = inflater.decompress(data + _TAIL if final else data, limit + 1)
            else:
                found = inflater.decompress(data, limit + 1)
                if not inflater.unconsumed_tail:
                    found += inflater.decompress(_TAIL, limit + 1)
        except zlib.error as error:
            raise Violation(Rule.DEFLATE, str(error)) from None
        if len(found) > limit or inflater.unconsumed_tail:
            raise Violation(Rule.TOO_BIG, f"inflated to more than {limit} bytes")
        if final and self._agreed.fresh_in:
            self._inflater = None
        return found
