"""Which URL is opened: the browser's rules for ``new WebSocket(url)`` (WHATWG WebSockets, section 3.1).

Nothing here touches the network: a URL that is refused was refused before anything was sent.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from wsload.errors import UsageError

_AUTHORITY_END: Final = re.compile(r"[/?#]")
_HOST_AND_PORT: Final = re.compile(r"(\[.*\]|[^:]*)(:[0-9]*)?")
_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@functools.lru_cache(maxsize=1024)  # every opening asks, mostly for the same
def resolve_url(url: str, host: str | None = None) -> str:
    """The absolute ``ws://`` or ``wss://`` URL to open.

    ``http`` and ``https`` become ``ws`` and ``wss``; a relative ``url`` is resolved against
    ``host`` (Locust's ``--host``), itself a URL or a bare ``name:port``, which means ``ws://``.

    Raises `UsageError` for a fragment, another scheme, a missing or impossible host or port.
    """
    relative = bool(host) and not _has_scheme(url)
    base = (host if _has_scheme(host) else f"ws://{host}") if host and relative else ""
    for given in (url, base):
        if "#" in given:
            raise UsageError(f"the URL {shown_url(given)!r} has a fragment (#…): a WebSocket URL has none")
        if "\\" in given:
            raise UsageError(
                f"the URL {shown_url(given)!r} has a backslash in it, which browsers take for a '/'"
            )
    try:
        text = _joined(base, url) if relative else url
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the URL {shown_url(base or url)!r} can't be read: {error}") from None
    if not parts.scheme or not parts.hostname:
        raise UsageError(
            f"the URL {shown_url(text)!r} names no host: give --host ws://HOST:PORT or a whole URL"
        )
    if parts.scheme.lower() not in _SCHEMES:
        raise UsageError(
            f"the URL {shown_url(text)!r} has the scheme {parts.scheme!r}: "
            "ws, wss, http and https are what a WebSocket opens"
        )
    if port == 0:
        raise UsageError(f"the URL {shown_url(text)!r} has port 0: nothing listens there")
    if any(character.isspace() for character in text):
        raise UsageError(f"the URL {shown_url(text)!r} has a space in it")
    scheme = _SCHEMES[parts.scheme.lower()]
    found = urlunsplit((scheme, parts.netloc, parts.path or "/", parts.query, ""))
    try:
        parse_uri(found)
    except (InvalidURI, UnicodeError) as error:
        reason = error.msg if isinstance(error, InvalidURI) else "its host or user can't be encoded"
        raise UsageError(f"the URL {shown_url(text)!r} can't be opened: {reason}") from None
    return found


def shown_url(url: str) -> str:
    """The URL as it may be shown: user, query and fragment, which may be secret, replaced by ``***``."""
    scheme, slashes, rest = url.partition("//") if "//" in url else ("", "", url)
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if "@" in rest and ("@" in authority or not _HOST_AND_PORT.fullmatch(authority)):
        # A "/", "?" or "#" in a password only seems to end the authority.
        rest = "***@" + rest.rpartition("@")[2]
    rest, fragment, _ = rest.partition("#")
    rest, query, _ = rest.partition("?")
    return f"{scheme}{slashes}{rest}{query and '?***'}{fragment and '#***'}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its very name: 127.0.0.0/8, ::1, ``localhost``."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_mixed_content(url: str, origin: str | None) -> None:
    """Refuses ``ws://`` from a page of ``https://``, as browsers do, except to this very machine.

    Raises `UsageError` (a browser's ``SecurityError``; W3C Mixed Content, section 5.1).
    """
    if origin is None or urlsplit(origin).scheme != "https":
        return
    parts = urlsplit(url)
    if parts.scheme == "ws" and not is_loopback(parts.hostname or ""):
        raise UsageError(
            f"SecurityError: a page of {origin} may not open {shown_url(url)}: use wss://, "
            "or --ws-allow-mixed-content to do what no browser does"
        )


def _joined(base: str, url: str) -> str:
    scheme, rest = base.split("://", 1)
    # urljoin knows http's rules for relative references, but not ws's: lend it a scheme it knows.
    joined = urljoin("http://" + rest, url)
    return scheme + joined.removeprefix("http") if joined.startswith("http://") else joined


def _has_scheme(text: str) -> bool:
    return "://" in text.split("?", 1)[0].split("#", 1)[0]
