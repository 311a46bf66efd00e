"""The ordinary answer to an opening handshake, recognized without the library, which takes several times as long."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection
from typing import Final

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HEAD: Final = re.compile(
    rb"HTTP/1\.1 101 [\x20-\x7e]{0,200}\r\n((?:[-!#$%&'*+.^_`|~0-9a-zA-Z]{1,100}:[\x20-\x7e]{0,2000}\r\n){3,60})\r\n"
)
"""A status line and headers without anything unusual: no tab, no character outside ASCII, no folded line."""
_MUST_BE: Final = {b"upgrade": b"websocket", b"connection": b"upgrade"}
"""Compared case-insensitively."""


def accept_of(key: bytes) -> bytes:
    """The ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key`` (RFC 6455 section 4.2.2, item 5.4)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def ordinary(head: bytes, key: bytes, offered: Collection[str]) -> tuple[str | None] | None:
    """The subprotocol chosen by a head that is a valid upgrade at first sight; None if it takes a closer look.

    At first sight means: every header occurs once, there is no extension, and the subprotocol is one of those offered.
    """
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    fields: dict[bytes, bytes] = {}
    for line in found[1][:-2].split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in fields:
            return None
        fields[name] = value.strip(b" ")
    if any(fields.get(name, b"").lower() != value for name, value in _MUST_BE.items()):
        return None
    if fields.get(b"sec-websocket-accept") != accept_of(key) or b"sec-websocket-extensions" in fields:
        return None
    chosen = fields.get(b"sec-websocket-protocol")
    if chosen is None:
        return (None,)
    subprotocol = chosen.decode("ascii")
    return (subprotocol,) if subprotocol in offered else None
