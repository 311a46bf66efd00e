"""The token by which a sender knows its own post again, and others know when it was sent.

A server may drop fields it does not know, reorder keys and strip anything like ``<…>``; the text
stays. So the token stands in the text, in characters that neither JSON nor HTML escapes, at fixed
offsets so that it is read from the raw bytes before any JSON is parsed:

    ~ws.<clock 8>.<sender 12>.<number 8>.<sent 16>~

``clock`` names the host whose monotonic clock ``sent`` (ns) was read from: times are subtracted
only where the clock is the same. ``sender`` is one user of one run; ``number`` counts its posts.
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
"""What a token says: the clock, the sender, the number, the instant (ns)."""


def mint(clock: str, sender: str, number: int, sent_ns: int) -> str:
    """A token; ``clock`` and ``sender`` are 8 and 12 characters of ``[0-9a-z]``.

    ``number`` wraps at 2**32, ``sent_ns`` is an instant of the sender's monotonic clock.
    """
    return f"~ws.{clock}.{sender}.{number & 0xFFFFFFFF:08x}.{sent_ns:016x}~"


def well_formed(data: bytes, start: int) -> bool:
    """Whether a token, such as `mint` makes, stands at ``start``."""
    return _TOKEN.match(data, start) is not None


def find(data: bytes) -> int:
    """Where the last token in these bytes starts; -1 when there is none.

    The last one, since a post's own token ends its text: what stands before it may quote another's.
    """
    start = data.rfind(PREFIX)
    while start >= 0 and _TOKEN.match(data, start) is None:
        start = data.rfind(PREFIX, 0, start)
    return start


def read(data: bytes) -> Token | None:
    """What the last token in these bytes says, as `find` finds it; None when there is none."""
    start = find(data)
    if start < 0:
        return None
    text = data[start : start + LENGTH]
    return text[CLOCK], text[SENDER], int(text[NUMBER], 16), int(text[SENT], 16)
