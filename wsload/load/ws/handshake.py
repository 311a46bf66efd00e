"""The opening handshake (RFC 6455 section 4): the library writes the request and checks the answer.

It does so once for all openings that differ in nothing but the key, and only if the answer is not an ordinary one.
"""

from __future__ import annotations

import base64
import functools
import os
import re
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.uri import WebSocketURI

from wsload.load.ws.compat import compression, handshake_result, set_key
from wsload.load.ws.deflate import MEMORY_LEVEL, Deflate
from wsload.load.ws.logger import QuietLogger
from wsload.load.ws.ordinary import ordinary

MAX_HEAD: Final = 64 << 10
"""An answer with a longer header section (bytes) fails the opening."""
MAX_BODY: Final = 1 << 10
"""At most this many bytes of a refusal's body are waited for."""
KEY: Final = "Sec-WebSocket-Key"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_TLS_RECORD: Final = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
"""How an answer in TLS begins: an alert or a handshake record (RFC 8446 section 5.1)."""


@dataclass(eq=False, kw_only=True)
class Refused(Exception):  # an answer
    """The server answered the upgrade with a status other than 101."""

    status: int
    phrase: str
    headers: dict[str, str] = field(repr=False)
    """By lower-case name; of repeated headers the last."""
    body: bytes = field(default=b"", repr=False)
    """Up to `MAX_BODY` bytes of it."""

    @property
    def first_line(self) -> str:
        """The body's first line; empty if it is not printable."""
        lines = self.body.decode("utf-8", "replace").strip().splitlines()
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            lines = lines[1:]  # the first chunk's length
        line = lines[0].strip() if lines else ""
        return line[:200] if line.isprintable() and "\ufffd" not in line else ""


class SpeaksTls(Exception):  # an answer
    """The answer to a plain request is a TLS record."""


class HungUp(Exception):  # an answer, the last
    """The connection ended before the answer did."""


class Handshake:
    """One opening handshake: send `request_bytes`, and pass the answer's bytes to `receive`.

    Raises `NegotiationError` for invalid subprotocols.
    """

    def __init__(
        self,
        uri: WebSocketURI,
        *,
        headers: Headers,
        subprotocols: tuple[str, ...] = (),
        compression: bool = False,
        user_agent: str | None = None,
    ) -> None:
        self._asked = _Asked(uri, subprotocols, compression)
        self._request = _request(self._asked, tuple(headers.raw_items()), user_agent)
        self._key = base64.b64encode(os.urandom(16))
        self._answer = b""
        self._refused: Refused | None = None
        self.subprotocol: str | None = None
        self.deflate: Deflate | None = None

    def request_bytes(self) -> bytes:
        """The request to send."""
        before, after = self._request
        return before + self._key + after

    def receive(self, data: bytes) -> bytes | None:
        """Takes more bytes of the answer; returns those after its header section once that is complete, else None.

        Raises `Refused`, `SpeaksTls`, and the library's `InvalidHandshake` for an answer that is no valid upgrade.
        """
        if self._refused is not None:
            self._read_body(data)
            return None
        start = max(len(self._answer) - 3, 0)
        self._answer += data
        if _TLS_RECORD.match(self._answer):
            raise SpeaksTls
        if not b"HTTP/1.".startswith(self._answer[:7]):
            raise InvalidHandshake(f"the answer is not HTTP/1.1: it begins with {self._answer[:40]!r}")
        end = self._answer.find(b"\r\n\r\n", start)
        if end < 0:
            if len(self._answer) > MAX_HEAD:
                raise InvalidHandshake(f"the answer's header section is longer than {MAX_HEAD >> 10} KiB")
            return None
        head, tail = self._answer[: end + 4], self._answer[end + 4 :]
        self._answer = b""
        found = _STATUS_LINE.match(head)
        if found is not None and found[1] != b"101":
            self._refused = _refusal(int(found[1]), head)
            self._read_body(tail)
            return None
        self._judge(head)
        return tail

    def end(self) -> Exception:
        """Why the handshake failed, if the connection ended or the body took too long."""
        if self._refused is not None:
            return self._refused
        if self._answer:
            return HungUp(f"after {len(self._answer)} bytes")
        return HungUp("without an answer; if it speaks TLS there, use wss://")

    @property
    def refused(self) -> bool:
        """Whether the server refused, and the body of its answer is outstanding."""
        return self._refused is not None

    def _judge(self, head: bytes) -> None:
        """Checks the answer's header section."""
        at_first_sight = ordinary(head, self._key, self._asked.subprotocols)
        if at_first_sight is not None:
            (self.subprotocol,) = at_first_sight
        else:
            self._let_the_library_judge(head)
        if self._asked.subprotocols and self.subprotocol is None:
            raise NegotiationError(f"no subprotocol chosen, {', '.join(self._asked.subprotocols)} offered")

    def _let_the_library_judge(self, head: bytes) -> None:
        protocol = self._asked.protocol()
        set_key(protocol, self._key)
        protocol.receive_data(head)
        protocol.events_received()
        error, self.subprotocol, extensions = handshake_result(protocol)
        if error is not None:
            raise error
        if (agreed := compression(extensions)) is not None:
            self.deflate = Deflate(agreed)

    def _read_body(self, data: bytes) -> None:
        assert self._refused is not None
        self._refused.body = (self._refused.body + data)[:MAX_BODY]
        length = self._refused.headers.get("content-length", "")
        wanted = min(int(length), MAX_BODY) if length.isdecimal() else MAX_BODY
        if len(self._refused.body) >= wanted or self._refused.status in (204, 304):
            raise self._refused


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a handshake asks for, besides its headers."""

    uri: WebSocketURI
    subprotocols: tuple[str, ...]
    compression: bool

    def __hash__(self) -> int:  # the library's URI has none
        return hash((self.uri.host, self.uri.port, self.uri.path, self.uri.query))

    def protocol(self) -> ClientProtocol:
        """The library's half of a handshake. Raises `NegotiationError` for invalid subprotocols."""
        names: Any = list(self.subprotocols) or None
        settings = {"memLevel": MEMORY_LEVEL}
        deflate = [ClientPerMessageDeflateFactory(compress_settings=settings)] if self.compression else None
        logger: Any = QuietLogger()
        return ClientProtocol(self.uri, subprotocols=names, extensions=deflate, logger=logger)


@functools.lru_cache(maxsize=256)  # mostly, openings differ in nothing but the key
def _request(
    asked: _Asked, headers: tuple[tuple[str, str], ...], user_agent: str | None
) -> tuple[bytes, bytes]:
    """The request as the library writes it, before its key and after it."""
    protocol = asked.protocol()
    request = protocol.connect()
    for name in {name.lower() for name, _ in headers} & {each.lower() for each in request.headers}:
        del request.headers[name]
    for name, value in headers:
        request.headers[name] = value
    if user_agent is not None:
        request.headers.setdefault("User-Agent", user_agent)
    protocol.send_request(request)
    before, _, after = b"".join(protocol.data_to_send()).partition(request.headers[KEY].encode())
    return before, after


def _refusal(status: int, head: bytes) -> Refused:
    status_line, *lines = head.decode("iso-8859-1").split("\r\n")
    phrase = (*status_line.split(" ", 2), "", "")[2]
    pairs = (line.partition(":") for line in lines)
    return Refused(
        status=status,
        phrase=phrase if phrase.isprintable() else "",
        headers={name.strip().lower(): value.strip() for name, _, value in pairs if name},
    )
