"""The opening handshake (RFC 6455 section 4): the library writes the request and checks the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.uri import WebSocketURI

from wsload.load.ws.compat import compression, handshake_result
from wsload.load.ws.deflate import MEMORY_LEVEL, Deflate
from wsload.load.ws.logger import QuietLogger

MOST_HEAD: Final = 64 << 10
"""An answer with a longer header section (bytes) fails the opening."""
MOST_BODY: Final = 1 << 10
"""At most this many bytes of a refusal's body are waited for."""
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
    """Up to `MOST_BODY` bytes of it."""

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
        names: Any = list(subprotocols) or None
        deflate = (
            [ClientPerMessageDeflateFactory(compress_settings={"memLevel": MEMORY_LEVEL})]
            if compression
            else None
        )
        logger: Any = QuietLogger()
        self._protocol = ClientProtocol(uri, subprotocols=names, extensions=deflate, logger=logger)
        self._wanted = subprotocols
        request = self._protocol.connect()
        for name in {name.lower() for name, _ in headers.raw_items()} & {
            each.lower() for each in request.headers
        }:
            del request.headers[name]
        for name, value in headers.raw_items():
            request.headers[name] = value
        if user_agent is not None:
            request.headers.setdefault("User-Agent", user_agent)
        self.request: Request = request
        self._answer = b""
        self._refused: Refused | None = None
        self.subprotocol: str | None = None
        self.deflate: Deflate | None = None

    def request_bytes(self) -> bytes:
        """The request to send."""
        self._protocol.send_request(self.request)
        return b"".join(self._protocol.data_to_send())

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
            if len(self._answer) > MOST_HEAD:
                raise InvalidHandshake(f"the answer's head is longer than {MOST_HEAD >> 10} KiB")
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
        """Lets the library check the answer's header section."""
        self._protocol.receive_data(head)
        self._protocol.events_received()
        error, self.subprotocol, extensions = handshake_result(self._protocol)
        if error is not None:
            raise error
        if self._wanted and self.subprotocol is None:
            raise NegotiationError(f"no subprotocol chosen, {', '.join(self._wanted)} offered")
        if (agreed := compression(extensions)) is not None:
            self.deflate = Deflate(agreed)

    def _read_body(self, data: bytes) -> None:
        assert self._refused is not None
        self._refused.body = (self._refused.body + data)[:MOST_BODY]
        length = self._refused.headers.get("content-length", "")
        wanted = min(int(length), MOST_BODY) if length.isdecimal() else MOST_BODY
        if len(self._refused.body) >= wanted or self._refused.status in (204, 304):
            raise self._refused


def _refusal(status: int, head: bytes) -> Refused:
    status_line, *lines = head.decode("iso-8859-1").split("\r\n")
    phrase = (*status_line.split(" ", 2), "", "")[2]
    pairs = (line.partition(":") for line in lines)
    return Refused(
        status=status,
        phrase=phrase if phrase.isprintable() else "",
        headers={name.strip().lower(): value.strip() for name, _, value in pairs if name},
    )
