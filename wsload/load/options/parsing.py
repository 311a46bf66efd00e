"""Reading the text of options: each function takes text and returns a value or raises `ValueError`."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult

from wsload import words
from wsload.load.ws.url import split

_HANDSHAKE: Final = {
    "host": "it is the URL's host and port",
    "origin": "use --ws-origin",
    "sec-websocket-protocol": "use --ws-subprotocol",
    "sec-websocket-extensions": "use --ws-compression",
} | dict.fromkeys(("connection", "upgrade", "sec-websocket-key", "sec-websocket-version"), "leave it out")
"""Headers that the opening request has by itself, and what to do instead of adding them."""
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 section 5.6.2, which RFC 6455 section 4.1 asks of a subprotocol's name."""


def duration_s(least: float, most: float) -> Callable[[Any], float]:
    """Reads ``500ms``, ``2s``, ``1.5m`` or plain seconds, into seconds."""

    def parse(text: Any) -> float:
        seconds = words.duration_ns(str(text), unit="s") / 1e9
        if not least <= seconds <= most:
            raise ValueError(f"must be from {least:g}s to {most:g}s")
        return seconds

    return parse


def or_off(parse: Callable[[Any], float]) -> Callable[[Any], float | None]:
    """Reads ``off`` as None, and anything else as ``parse`` does."""

    def parse_or_off(text: Any) -> float | None:
        if str(text).strip().lower() == "off":
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"{error}, or 'off'") from None

    return parse_or_off


def byte_count(least: int, most: int) -> Callable[[Any], int]:
    """Reads ``64KiB``, ``1MiB`` or plain bytes, into bytes."""

    def parse(text: Any) -> int:
        size = words.byte_count(str(text))
        if not least <= size <= most:
            raise ValueError(f"must be from {least:,} to {most:,} bytes")
        return size

    return parse


def whole(least: int, most: int) -> Callable[[Any], int]:
    """Reads a whole number."""

    def parse(text: Any) -> int:
        if not re.fullmatch(r"[0-9]+", str(text).strip()) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least:,} to {most:,}")
        return int(text)

    return parse


def number(least: float, most: float) -> Callable[[Any], float]:
    """Reads a number."""

    def parse(text: Any) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"must be a number from {least:,.9g} to {most:,.9g}")
        return value

    return parse


def one_of(*allowed: str) -> Callable[[Any], str]:
    """Reads one of a few words."""

    def parse(text: Any) -> str:
        if text not in allowed:
            raise ValueError(f"must be {' or '.join(allowed)}")
        return str(text)

    return parse


def header(text: str) -> tuple[str, str]:
    """Reads ``Name: value`` (RFC 9110 section 5); a line break, which would be another header, is refused."""
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name) or not value.strip().isprintable():
        raise ValueError("a header is 'Name: value', printable and in one line")
    if instead := _HANDSHAKE.get(name.lower()):
        raise ValueError(f"{name} is set by the handshake and can't be set here: {instead}")
    return name, value.strip()


def token_list(values: Any) -> tuple[str, ...]:
    """Reads subprotocol names: tokens, none twice, as browsers ask (WHATWG WebSockets, section 3.1)."""
    names = tuple(text.strip() for text in values or [] if text.strip())
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a subprotocol: only letters, digits and !#$%&'*+-.^_`|~ are allowed"
            )
    if len(set(names)) != len(names):
        raise ValueError("a subprotocol is listed twice")
    return names


def addresses(values: Any) -> tuple[str, ...]:
    """Reads IP addresses."""
    found = tuple(text.strip() for text in values or [] if text.strip())
    for text in found:
        ipaddress.ip_address(text)  # its ValueError says it well
    return found


def one_line(text: str) -> str:
    """Reads what goes into a header."""
    if not text.isprintable() or not text.isascii():
        raise ValueError("printable ASCII is allowed")
    return text


def origin(text: str) -> str:
    """Reads what a browser sends as ``Origin``."""
    if one_line(text):
        _parts(text, "an origin is SCHEME://HOST, plus :PORT if it is not the scheme's default")
    return text


def _parts(text: str, wanted: str) -> SplitResult:
    try:
        return split(text)
    except ValueError as error:
        raise ValueError(f"{wanted} ({error})") from None


def basic(text: str) -> str:
    """Reads ``USER:PASSWORD``."""
    if text and (":" not in text or not text.isprintable()):
        raise ValueError("must be USER:PASSWORD, in printable characters")
    return text


def proxy(text: str) -> str:
    """Reads a proxy's URL."""
    if text and text.split("://", 1)[0] not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
        raise ValueError("a proxy is a URL with http, https, socks4(a) or socks5(h)")
    if text:
        parts = _parts(text, "a proxy is a URL")
        if not parts.hostname:
            raise ValueError("a proxy is a URL with a host")
        if parts.username is not None and parts.password is None:
            raise ValueError("a proxy's URL with a user needs a password too: USER:PASSWORD@HOST")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("a proxy's URL ends with its port: it has no path or query")
    if text.startswith("socks") and importlib.util.find_spec("python_socks") is None:
        raise ValueError("a SOCKS proxy needs the package python-socks: pip install python-socks")
    return text
