"""Reads the WebSocket connections out of a HAR file: their openings and messages, in order.

HAR 1.2 has no WebSocket messages. Chrome adds them to an entry as ``_webSocketMessages``: objects with ``type``
(``send``, ``receive``), ``time`` (seconds since the epoch), ``opcode`` (1 text, 2 binary) and ``data`` (binary in
base64); see https://developer.chrome.com/blog/new-in-devtools-76#websocket. Edge, Playwright, mitmproxy and HTTP
Toolkit write the same. Firefox's export has the opening request without its messages.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from wsload.errors import UsageError

MAX_BYTES: Final = 200 << 20
"""A larger file is refused; even recordings with all the images of their pages stay far below."""
MAX_CONNECTIONS: Final = 20
MAX_MESSAGES: Final = 2_000
"""Of a connection; what came later is left out."""
MAX_SENT_BYTES: Final = 1 << 20
"""The limit for what one connection sends, since all of it goes into the locustfile."""

LATEST_S: Final = 1e11
"""The year 5138; in milliseconds it would be 1973."""

_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
_OWN_HEADERS: Final = re.compile(
    r"host|connection|upgrade|sec-websocket-.*|accept-encoding|cache-control|pragma|content-length|cookie"
    r"|sec-fetch-.*|priority",
    re.IGNORECASE,
)
"""Headers that the opening request has by itself, or that only a browser's cache heeds."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; ``at_s`` in seconds since the epoch."""

    at_s: float
    sent: bool
    data: str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One opening and the messages that followed."""

    origin: str
    """Scheme, host and port: ``wss://shop.example.org``."""
    path: str
    query: Pairs
    headers: Pairs
    """Without those of the handshake."""
    cookies: Pairs
    subprotocols: tuple[str, ...]
    messages: tuple[Message, ...]
    left_out: int
    """Messages beyond the limits."""
    posted: tuple[str, ...]
    """Bodies that were posted to the same path with the same query parameter ``sid``: Engine.IO's polling."""


def read(path: Path) -> tuple[Connection, ...]:
    """The connections that have messages, in order of opening.

    Raises `UsageError` for a file that is no recording, is too large, or has none.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: larger than {MAX_BYTES >> 20} MiB: record the WebSocket's page alone")
        log = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: not a HAR file: it is not JSON") from None
    entries = _get(log, "log", "entries")
    if not isinstance(entries, list):
        raise UsageError(f"{path}: not a HAR file: it has no log.entries")
    found = [each for each in map(_target, entries) if each is not None]
    connections = tuple(
        connection
        for entry, url in found
        if (connection := _connection(entry, url, entries)) is not None and connection.messages
    )
    if connections:
        return connections[:MAX_CONNECTIONS]
    if found:
        raise UsageError(
            f"{path}: has the opening of a WebSocket, but no messages: Firefox leaves them out; "
            "record with Chrome, Edge or another Chromium"
        )
    raise UsageError(
        f"{path}: has no WebSocket: open the developer tools' network panel before the page is loaded"
    )


def _target(entry: Any) -> tuple[dict[str, Any], SplitResult] | None:
    """The entry and its URL, if it is that of a WebSocket."""
    url = _get(entry, "request", "url")
    if not isinstance(url, str) or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in _SCHEMES or not parts.hostname or not re.fullmatch(r"[\w.:-]+", parts.hostname):
        return None
    if parts.scheme not in ("ws", "wss") and not isinstance(entry.get("_webSocketMessages"), list):
        return None
    return entry, parts


def _connection(entry: dict[str, Any], url: SplitResult, entries: Sequence[Any]) -> Connection | None:
    messages, left_out = _messages(entry.get("_webSocketMessages"))
    headers = _pairs(_get(entry, "request", "headers"))
    cookies = _pairs(_get(entry, "request", "cookies")) or tuple(
        (name.strip(), value.strip())
        for header, text in headers
        if header.lower() == "cookie"
        for name, equals, value in (part.partition("=") for part in text.split(";"))
        if equals
    )
    host = f"[{url.hostname}]" if ":" in str(url.hostname) else url.hostname
    query = tuple(parse_qsl(url.query, keep_blank_values=True))
    return Connection(
        origin=f"{_SCHEMES[url.scheme]}://{host}" + (f":{url.port}" if url.port is not None else ""),
        path=url.path or "/",
        query=query,
        headers=tuple(pair for pair in headers if not _OWN_HEADERS.fullmatch(pair[0])),
        cookies=tuple(pair for pair in cookies if _TOKEN.fullmatch(pair[0]) and ";" not in pair[1]),
        subprotocols=_subprotocols(headers),
        messages=messages,
        left_out=left_out,
        posted=tuple(_posted(url.path, dict(query).get("sid"), entries)),
    )


def _messages(found: Any) -> tuple[tuple[Message, ...], int]:
    """The messages within the limits, in order of time, and how many were beyond."""
    messages: list[Message] = []
    for each in found if isinstance(found, list) else ():
        message = _message(each, messages[-1].at_s if messages else 0.0)
        if message is not None:
            messages.append(message)
    messages.sort(key=lambda message: message.at_s)
    size = 0
    for place, message in enumerate(messages):
        size += len(message.data) if message.sent else 0
        if place >= MAX_MESSAGES or size > MAX_SENT_BYTES:
            return tuple(messages[:place]), len(messages) - place
    return tuple(messages), 0


def _message(found: Any, before_s: float) -> Message | None:
    """One message; None for control frames and for what can't be understood.

    One without a time was at that of the message before it.
    """
    kind, at, data = (_get(found, key) for key in ("type", "time", "data"))
    opcode = _get(found, "opcode")
    if kind not in ("send", "receive") or not isinstance(data, str) or opcode not in (None, 1, 2):
        return None
    at = before_s if at is None else at
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= 1000 * LATEST_S:
        return None
    at = at / 1000 if at > LATEST_S else at  # some write milliseconds
    if opcode == 2:
        try:
            return Message(at_s=at, sent=kind == "send", data=base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            return None
    text = data.encode("utf-8", "replace").decode()  # lone surrogates can't be sent
    return Message(at_s=at, sent=kind == "send", data=text)


def _subprotocols(headers: Pairs) -> tuple[str, ...]:
    offered = [value for name, value in headers if name.lower() == "sec-websocket-protocol"]
    names = (name.strip() for value in offered for name in value.split(","))
    return tuple(dict.fromkeys(name for name in names if _TOKEN.fullmatch(name)))


def _posted(path: str, sid: str | None, entries: Sequence[Any]) -> Iterator[str]:
    for entry in entries if sid else ():
        url, text = _get(entry, "request", "url"), _get(entry, "request", "postData", "text")
        if isinstance(url, str) and isinstance(text, str) and f"sid={sid}" in url and path in url:
            yield text


def _pairs(found: Any) -> Pairs:
    """Names and values; what no request can have (control characters, other than Latin-1) is left out."""
    pairs = ((_get(each, "name"), _get(each, "value")) for each in found) if isinstance(found, list) else ()
    return tuple(
        (name, value)
        for name, value in pairs
        if isinstance(name, str) and _TOKEN.fullmatch(name) and isinstance(value, str)
        and value.isascii() and value.isprintable()
    )  # fmt: skip


def _get(found: Any, *keys: str) -> Any:
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found
