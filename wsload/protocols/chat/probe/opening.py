"""The opening handshake, the client's side (RFC 6455 section 4.1): no redirects, no proxy, no extensions."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from wsload.errors import UsageError
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.wire import Arrival, Wait, Wire, connect

MAX_RESPONSE_BYTES: Final = 65_536
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PORTS: Final = {"ws": 80, "wss": 443}
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


class OpeningError(Exception):
    """The handshake failed; the message says why, in one line without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect, and what to ask for there."""

    secure: bool
    """Whether to use TLS."""
    host: str
    """Name or address, without brackets."""
    port: int
    authority: str
    """The ``Host`` header."""
    resource: str
    """Path and query."""
    authorization: str
    """The ``Authorization`` header for the user and password in the URL; empty if there are none."""

    @classmethod
    def of(cls, url: str) -> Target:
        """Raises `UsageError` unless this is an absolute ``ws://`` or ``wss://`` URL."""
        try:
            parts = urlsplit(url)
            default = _PORTS[parts.scheme]
            port = parts.port or default
            host = (parts.hostname or "").encode("ascii" if url.isascii() else "idna").decode()
        except (ValueError, KeyError):  # UnicodeError is a ValueError
            raise UsageError("the probe's URL can't be read, or is neither ws:// nor wss://") from None
        if not host:
            raise UsageError("the probe's URL names no host")
        authority = f"[{host}]" if ":" in host else host
        user_info = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        return cls(
            secure=parts.scheme == "wss",
            host=host,
            port=port,
            authority=authority if port == default else f"{authority}:{port}",
            resource=quote(f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", safe=_PRINTABLE),
            authorization="" if user_info == ":" else f"Basic {_base64(user_info.encode())}",
        )


def request(target: Target, options: ProbeOptions, key: str) -> bytes:
    """The bytes of the request. Raises `UsageError` for a header with a line break."""
    headers = [
        ("Host", target.authority),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
        *([("Sec-WebSocket-Protocol", ", ".join(options.subprotocols))] if options.subprotocols else ()),
        *([("Authorization", target.authorization)] if target.authorization else ()),
        *options.headers,
    ]
    lines = [f"GET {target.resource} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    if any("\r" in line or "\n" in line for line in lines):
        raise UsageError("a header of the probe has a line break in it")
    return "\r\n".join(lines).encode("latin-1", "replace")


def check_response(head: bytes, options: ProbeOptions, key: str) -> None:
    """Checks the response's status line and headers; raises `OpeningError`."""
    status, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = status.partition(" ")
    code = rest[:3]
    if version != "HTTP/1.1" or not code.isdigit():
        raise OpeningError("bad handshake: the server did not answer in HTTP/1.1")
    if code != "101":
        raise OpeningError(f"bad status {code}")
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        found[name.strip().lower()] = value.strip()
    wanted = _base64(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest())
    if found.get("upgrade", "").lower() != "websocket" or found.get("sec-websocket-accept") != wanted:
        raise OpeningError("bad handshake: the server did not accept the upgrade")
    if "sec-websocket-extensions" in found:
        raise OpeningError("bad handshake: an extension that was not offered")
    chosen = found.get("sec-websocket-protocol")
    if chosen not in (options.subprotocols or (None,)):
        raise OpeningError("subprotocol: the server chose none that was offered")


def open_wire(options: ProbeOptions, wait: Wait) -> tuple[Wire, Arrival]:
    """A wire that has completed the handshake, and the bytes that followed it.

    Raises `OpeningError` or `OSError`, including `TimeoutError`.
    """
    target = Target.of(options.url)
    until_ns = time.monotonic_ns() + int(options.open_timeout_s * 1e9)
    wire = connect(target.host, target.port, wait=wait, until_ns=until_ns)
    try:
        if target.secure:
            wire.start_tls(options.tls(), target.host, wait=wait, until_ns=until_ns)
        return wire, _upgrade(wire, target, options, wait, until_ns)
    except BaseException:
        wire.close()
        raise


def _upgrade(wire: Wire, target: Target, options: ProbeOptions, wait: Wait, until_ns: int) -> Arrival:
    key = _base64(secrets.token_bytes(16))
    wire.send(request(target, options, key))
    received = b""
    while True:
        arrival = wire.receive()
        if arrival is None:
            ready = wait(wire, until_ns=until_ns, write=wire.backlog)
            if not ready or time.monotonic_ns() >= until_ns:
                raise TimeoutError("the handshake took too long")
            wire.flush()
            continue
        received += arrival.data
        head, end, rest = received.partition(b"\r\n\r\n")
        if end:
            check_response(head, options, key)
            return replace(arrival, data=rest)
        if len(received) > MAX_RESPONSE_BYTES:
            raise OpeningError("bad handshake: an endless response")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
