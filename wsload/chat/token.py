"""The token by which a sender knows its own post again, and others know when it was sent.

A server may drop fields it does not know, reorder keys and strip anything like ``<…>``; the text
stays. So the token stands in the text, in characters that neither JSON nor HTML escapes, at fixed
offsets so that it is read from the raw bytes before any JSON is parsed:

    ~ws.<clock 8>.<sender 12>.<number 8>.<sent 16>~

``clock`` names the host whose monotonic clock ``sent`` (ns) was read from: times are subtracted
only where the clock is the same. ``sender`` is one user of one run; ``number`` counts its posts.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = b"~ws."
LENGTH: Final = 4 + 8 + 1 + 12 + 1 + 8 + 1 + 16 + 1
"""Characters of a whole token."""

CLOCK: Final = slice(4, 12)
SENDER: Final = slice(13, 25)
NUMBER: Final = slice(26, 34)
SENT: Final = slice(35, 51)


def mint(clock: str, sender: str, number: int, sent_ns: int) -> str:
    """A token; ``clock`` and ``sender`` are 8 and 12 characters of ``[0-9a-z]``.

    ``number`` wraps at 2**32, ``sent_ns`` is an instant of the sender's monotonic clock.
    """
    return f"~ws.{clock}.{sender}.{number & 0xFFFFFFFF:08x}.{sent_ns:016x}~"


def well_formed(data: bytes, start: int) -> bool:
    """Whether a token really stands at ``start``: its dots, its end and its numbers."""
    token = data[start : start + LENGTH]
    if len(token) != LENGTH or token[-1:] != b"~" or token[12:35:13] != b"..":
        return False
    try:
        int(token[NUMBER], 16), int(token[SENT], 16)
    except ValueError:
        return False
    return token[34:35] == b"."
