"""The undocumented names of ``websockets`` that the load generator uses; the server has its own.

The documented API that wsload uses is `ClientProtocol` for the opening handshake, the permessage-deflate
extension, `parse_uri`, `Headers`, and the exceptions. Each item here has a canary in
tests/unit/test_compat_ws.py, which names the version when a release changes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from websockets.asyncio.client import connect_http_proxy, connect_socks_proxy
from websockets.client import ClientProtocol
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.http11 import USER_AGENT
from websockets.proxy import parse_proxy

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without its C extension
    from websockets.utils import apply_mask

__all__ = [
    "USER_AGENT",
    "Compression",
    "apply_mask",
    "compression",
    "connect_http_proxy",
    "connect_socks_proxy",
    "handshake_result",
    "parse_proxy",
    "set_key",
]


def handshake_result(protocol: ClientProtocol) -> tuple[Exception | None, str | None, list[Extension]]:
    """The result of an answered handshake: the error, and the subprotocol and extensions agreed on."""
    return protocol.handshake_exc, protocol.subprotocol, protocol.extensions


def set_key(protocol: ClientProtocol, key: bytes) -> None:
    """Makes it check the answer to this ``Sec-WebSocket-Key``, instead of its own."""
    protocol.key = key.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """What was agreed on for permessage-deflate (RFC 7692, section 7.1)."""

    bits_in: int
    """The base-2 logarithm of the window with which the server compresses."""
    bits_out: int
    """The same for the client."""
    fresh_in: bool
    """Whether each of the server's messages is compressed by itself."""
    fresh_out: bool
    """The same for the client's."""


def compression(extensions: Iterable[Extension]) -> Compression | None:
    """What was agreed on for permessage-deflate; None if it is not used."""
    for each in extensions:
        if isinstance(each, PerMessageDeflate):
            return Compression(
                bits_in=each.remote_max_window_bits,
                bits_out=each.local_max_window_bits,
                fresh_in=each.remote_no_context_takeover,
                fresh_out=each.local_no_context_takeover,
            )
    return None
