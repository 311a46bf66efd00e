"""The token by which a sender recognizes its own post, and others see when it was sent.

A server may drop unknown fields, reorder keys and strip anything like ``<…>``, but it keeps the text. So
the token is part of the text. Its characters are never escaped by JSON or HTML, and its fields have fixed
offsets, so that it can be read from the raw bytes without parsing JSON:

    ~ws.<clock 8>.<sender 12>.<number 8>.<sent 16>~

``clock`` identifies the host whose monotonic clock ``sent`` (ns) is from: only times of the same clock are
subtracted. ``sender`` is one user of one run; ``number`` counts its posts.
"""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = b"~ws."
LENGTH: Final = 4 + 8 + 1 + 12 + 1 + 8 + 1 + 16 + 1
"""Characters of a whole token."""

CLOCK: Final = slice(4, 12)
SENDER: Final = slice(13, 25)
NUMBER: Final = slice(26, 34)
SENT: Final = slice(35, 51)

_TOKEN: Final = re.compile(rb"~ws\.[0-9a-z]{8}\.[0-9a-z]{12}\.[0-9a-f]{8}\.[0-9a-f]{16}~")


Token = tuple[bytes, bytes, int, int]
"""The clock, sender, number and time of sending (ns)."""


def mint(clock: str, sender: str, number: int, sent_ns: int) -> str:
    """A token; ``clock`` and ``sender`` are 8 and 12 characters of ``[0-9a-z]``.

    ``number`` wraps at 2**32; ``sent_ns`` is a time of the sender's monotonic clock.
    """
    return f"~ws.{clock}.{sender}.{number & 0xFFFFFFFF:08x}.{sent_ns:016x}~"


def find(data: bytes) -> int:
    """Where the last token in these bytes starts; -1 if there is none.

    A post's own token ends its text, and the text before may quote another's.
    """
    start = data.rfind(PREFIX)
    while start >= 0 and _TOKEN.match(data, start) is None:
        start = data.rfind(PREFIX, 0, start)
    return start


def read(data: bytes) -> Token | None:
    """The last token in these bytes (see `find`); None if there is none."""
    start = find(data)
    if start < 0:
        return None
    text = data[start : start + LENGTH]
    return text[CLOCK], text[SENDER], int(text[NUMBER], 16), int(text[SENT], 16)
