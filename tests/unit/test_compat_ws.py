"""Canaries: what wsload needs of `websockets` beyond its documentation is still there, and does that.

Each failure names the version installed, and what wsload would lose.
"""

from __future__ import annotations

import inspect
import runpy
import sys
from typing import Any

import pytest
from canary import needed
from pair import URI
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.server import ServerProtocol

from wsload.load.ws import compat
from wsload.load.ws.deflate import Deflate
from wsload.load.ws.handshake import Handshake


def test_masks() -> None:
    with needed("websockets", "speedups.apply_mask", "to mask what is sent"):
        assert compat.apply_mask(b"\x01\x02\x03\x04\x05", b"\x01\x02\x03\x04") == b"\x00\x00\x00\x00\x04"
        assert compat.apply_mask(memoryview(b"abc"), bytes(4)) == b"abc"


def test_masks_without_the_library_s_extension_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("websockets", "utils.apply_mask", "to mask what is sent where there is no C compiler"):
        monkeypatch.setitem(sys.modules, "websockets.speedups", None)
        apply_mask = runpy.run_path(compat.__file__)["apply_mask"]
        assert apply_mask is not compat.apply_mask
        assert apply_mask(b"\x01\x02\x03\x04\x05", b"\x01\x02\x03\x04") == b"\x00\x00\x00\x00\x04"
        assert apply_mask(memoryview(b"abc"), bytes(4)) == b"abc"


def answered(handshake: Handshake) -> Any:
    """The library's server's answer to a handshake."""
    server = ServerProtocol()
    server.receive_data(handshake.request_bytes())
    (request,) = server.events_received()
    return server.accept(request)  # type: ignore[arg-type]


def test_the_result_of_a_handshake() -> None:
    with needed(
        "websockets", "ClientProtocol.handshake_exc, .subprotocol, .extensions", "to know what was agreed on"
    ):
        protocol = ClientProtocol(URI)
        protocol.connect()
        assert compat.handshake_result(protocol) == (None, None, [])
        protocol.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        error, subprotocol, extensions = compat.handshake_result(protocol)
        assert isinstance(error, Exception) and subprotocol is None and extensions == []


def test_the_key_of_a_handshake_can_be_set() -> None:
    with needed(
        "websockets", "ClientProtocol.key", "to judge an unusual answer to a key that it did not make"
    ):
        protocol = ClientProtocol(URI)
        compat.set_key(protocol, b"dGhlIHNhbXBsZSBub25jZQ==")
        assert protocol.connect().headers["Sec-WebSocket-Key"] == "dGhlIHNhbXBsZSBub25jZQ=="


def test_the_opening_is_done_by_its_sans_io_part() -> None:
    with needed("websockets", "ClientProtocol", "for the opening handshake"):
        handshake = Handshake(URI, headers=Headers([("X-One", "1")]), user_agent=compat.USER_AGENT)
        assert b"\r\nX-One: 1\r\n" in handshake.request_bytes()
        handshake = Handshake(URI, headers=Headers())
        response = answered(handshake)
        assert handshake.receive(response.serialize() + b"tail") == b"tail"


def test_compression_by_its_extension() -> None:
    with needed("websockets", "PerMessageDeflate's four parameters", "to compress messages"):
        from websockets.extensions.permessage_deflate import PerMessageDeflate

        agreed = compat.compression([PerMessageDeflate(True, False, 10, 15)])
        assert agreed == compat.Compression(bits_in=10, bits_out=15, fresh_in=True, fresh_out=False)
        assert compat.compression([]) is None
        agreed = compat.compression([PerMessageDeflate(False, False, 15, 15)])
        assert agreed is not None
        one, other = Deflate(agreed), Deflate(agreed)
        packed = bytes(one.deflate(b"x" * 1000))
        assert len(packed) < 100
        assert other.inflate(packed, final=True, limit=1000) == b"x" * 1000


def test_proxies() -> None:
    with needed("websockets", "proxy.parse_proxy", "to read --ws-proxy"):
        proxy = compat.parse_proxy("http://ada:secret@proxy.example:3128")
        assert (proxy.scheme, proxy.host, proxy.port) == ("http", "proxy.example", 3128)
    with needed("websockets", "asyncio.client.connect_http_proxy", "to go through --ws-proxy"):
        inspect.signature(compat.connect_http_proxy).bind(proxy, URI, user_agent_header="x", ssl=True)
    with needed("websockets", "asyncio.client.connect_socks_proxy", "to go through --ws-proxy"):
        inspect.signature(compat.connect_socks_proxy).bind(proxy, URI)
    with needed("websockets", "http11.USER_AGENT", "to say who asks"):
        assert "websockets" in compat.USER_AGENT
