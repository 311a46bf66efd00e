"""Resolves the URL to open by the browsers' rules for ``new WebSocket(url)`` (WHATWG WebSockets, section 3.1).

In addition ``ws+unix:///PATH/OF/SOCKET:/REQUEST/PATH`` names a Unix socket, as in npm's ``ws``. Nothing here
touches the network: a bad URL is refused before anything is sent.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from wsload.errors import UsageError
from wsload.redact import redact_url

_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_UNIX: Final = re.compile(r"ws\+unix:(?://)?([^:?]*)(?::([^?]*))?(\?.*)?", re.IGNORECASE)
"""Path of the socket, request path, query."""
_NAME: Final = re.compile(r"[^\s\[\]/?#@\x00-\x1f\x7f]+")
"""Of a host, or an address."""
_NO_HOST: Final = "no host can be read from it"
_LONGEST_SOCKET_PATH: Final = 107
"""``sun_path`` has 108 bytes with the NUL (unix(7))."""


@functools.lru_cache(maxsize=1024)  # called for every opening, mostly with the same URL
def parsed(url: str) -> WebSocketURI:
    """The parts of a ``ws://`` or ``wss://`` URL; not to be changed."""
    return parse_uri(url)


@functools.lru_cache(maxsize=1024)
def resolve_url(url: str, host: str | None = None) -> str:
    """The absolute ``ws://``, ``wss://`` or ``ws+unix://`` URL to open.

    ``http`` and ``https`` become ``ws`` and ``wss``; a relative ``url`` is resolved against
    ``host`` (Locust's ``--host``), itself a URL or a bare ``name:port``, which means ``ws://``.

    Raises `UsageError` for a fragment, another scheme, a missing or impossible host or port.
    """
    relative = bool(host) and not _has_scheme(url)
    base = (host if _has_scheme(host) else f"ws://{host}") if host and relative else ""
    for given in (url, base):
        if "#" in given:
            raise UsageError(f"the URL {redact_url(given)!r} has a fragment (#…): a WebSocket URL has none")
        if "\\" in given:
            raise UsageError(
                f"the URL {redact_url(given)!r} has a backslash in it, which browsers treat as '/'"
            )
    if unix := _UNIX.fullmatch(base or url):
        return _resolve_unix(unix, base and url)
    for given in (url, base):
        if any(character.isspace() for character in given):
            raise UsageError(f"the URL {redact_url(given)!r} has a space in it")
    shown = redact_url(
        base or url
    )  # a mistake lies in the host's part, and what follows it may hold a secret
    try:
        text = _joined(base, url) if relative else url
        parts = split(text)
    except ValueError as error:
        raise UsageError(f"the URL {shown!r} can't be read: {error}") from None
    if not parts.scheme or not parts.hostname:
        raise UsageError(f"the URL {shown!r} names no host: give --host ws://HOST:PORT or a whole URL")
    if parts.scheme.lower() not in _SCHEMES:
        raise UsageError(
            f"the URL {shown!r} has the scheme {parts.scheme!r}: "
            "ws, wss, http, https and ws+unix can be opened"
        )
    if parts.port == 0:
        raise UsageError(f"the URL {shown!r} has port 0: nothing listens there")
    scheme = _SCHEMES[parts.scheme.lower()]
    found = urlunsplit((scheme, parts.netloc, parts.path or "/", parts.query, ""))
    try:
        parse_uri(found)
    except (InvalidURI, UnicodeError) as error:
        reason = error.msg if isinstance(error, InvalidURI) else "its host or user can't be encoded"
        raise UsageError(f"the URL {shown!r} can't be opened: {reason}") from None
    return found


def split(text: str) -> SplitResult:
    """The parts of a URL, whose port can be read. Raises `ValueError`, which never quotes the text.

    The library's own messages quote what they fail at, and after a mistake that may be a password.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(_NO_HOST) from None
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the port must be a number from 0 to 65535") from None
    return parts


def unix_target(url: str) -> tuple[str, str] | None:
    """For a resolved ``ws+unix://`` URL, the socket's path and the ``ws://`` URL to request; else None."""
    found = _UNIX.fullmatch(url)
    if found is None:
        return None
    return unquote(found[1]), f"ws://localhost{found[2] or '/'}{found[3] or ''}"


def _resolve_unix(base: re.Match[str], reference: str) -> str:
    path, shown = base[1], redact_url(base[0])
    if not path.startswith("/"):
        raise UsageError(
            f"the URL {shown!r} names no socket: it is written ws+unix:///PATH/OF/SOCKET:/REQUEST/PATH"
        )
    if any(character.isspace() for character in path):
        raise UsageError(f"the URL {shown!r} has a space in it")
    if len(unquote(path).encode(errors="replace")) > _LONGEST_SOCKET_PATH or "\0" in unquote(path):
        raise UsageError(f"the URL {shown!r}: a socket's path has at most {_LONGEST_SOCKET_PATH} bytes")
    request = resolve_url(reference, f"ws://localhost{base[2] or '/'}{base[3] or ''}")
    if not request.startswith("ws://localhost/"):
        return request
    return f"ws+unix://{path}:{request.removeprefix('ws://localhost')}"


def parse_address(text: str) -> tuple[str, int]:
    """Reads ``HOST:PORT``, with an IPv6 address in brackets. Raises `UsageError`."""
    host, colon, port = text.rpartition(":")
    name = host[1:-1] if host[:1] + host[-1:] == "[]" else host
    if (
        not colon
        or not re.fullmatch("[0-9]{1,5}", port)
        or not 0 < int(port) < 65536
        or not _NAME.fullmatch(name)
    ):
        raise UsageError(
            f"the address {redact_url(text)!r} can't be read: write HOST:PORT, such as 10.0.0.7:8080"
        )
    if _is_ipv6(name) != (host != name):
        raise UsageError(
            f"the address {text!r} can't be read: write an IPv6 address in brackets, such as [::1]:8080"
        )
    return name, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether the host, without resolving it, is this machine: 127.0.0.0/8, ::1, ``localhost``."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_mixed_content(url: str, origin: str | None) -> None:
    """Refuses ``ws://`` from a page of ``https://``, as browsers do, except to this machine.

    Raises `UsageError` (a browser's ``SecurityError``; W3C Mixed Content, section 5.1).
    """
    if origin is None or urlsplit(origin).scheme != "https":
        return
    parts = urlsplit(url)
    if parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
        raise UsageError(
            f"SecurityError: a page of {redact_url(origin)} may not open {redact_url(url)}: use wss://, "
            "or --ws-allow-mixed-content to do what no browser does"
        )


def _joined(base: str, url: str) -> str:
    scheme, rest = base.split("://", 1)
    # urljoin resolves relative references for http, but not for ws.
    try:
        joined = urljoin("http://" + rest, url)
    except ValueError:
        raise ValueError(_NO_HOST) from None
    return scheme + joined.removeprefix("http") if joined.startswith("http://") else joined


def _has_scheme(text: str) -> bool:
    return "://" in text.split("?", 1)[0].split("#", 1)[0] or _UNIX.match(text) is not None
