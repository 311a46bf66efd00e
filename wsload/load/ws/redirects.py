"""Redirects of the opening handshake: the next URL, and which headers to send there."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

from websockets.datastructures import Headers
from websockets.uri import WebSocketURI, parse_uri

from wsload.errors import UsageError
from wsload.load.ws.handshake import Refused
from wsload.load.ws.url import resolve_url
from wsload.redact import redact_url

MAX_REDIRECTS: Final = 10
_STATUSES: Final = frozenset({300, 301, 302, 303, 307, 308})
_KEPT: Final = frozenset({"user-agent", "origin", "accept", "accept-language", "accept-encoding"})
"""Headers that are sent to another host too, since they hold no secrets."""


class BadRedirect(Exception):  # the server's
    """A redirect that is not followed, and why."""


def target_of(refusal: Refused, url: str) -> str | None:
    """The absolute URL to open instead; None if the answer is no redirect. Raises `BadRedirect`."""
    location = refusal.headers.get("location")
    if refusal.status not in _STATUSES or not location:
        return None
    # urljoin resolves relative references for http, but not for ws.
    base = "http" + url.removeprefix("ws")
    try:
        target = resolve_url(urljoin(base, location))
    except (UsageError, ValueError):
        raise BadRedirect(
            f"status {refusal.status} to {shown(location)!r}, which is not a WebSocket URL"
        ) from None
    if url.startswith("wss:") and not target.startswith("wss:"):
        raise BadRedirect(f"from wss:// to {origin_of(target)}, which is not secure")
    return target


def shown(location: str) -> str:
    """Where a redirect leads, without what may be secret in it."""
    return redact_url(location.partition("?")[0].partition("#")[0])[:100]


def origin_of(url: str) -> str:
    """Scheme, host and port of a ``ws://`` or ``wss://`` URL."""
    uri = parse_uri(url)
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return f"{'wss' if uri.secure else 'ws'}://{host}:{uri.port}"


def same_origin(one: WebSocketURI, other: WebSocketURI) -> bool:
    """Whether scheme, host and port are equal."""
    return (one.secure, one.host, one.port) == (other.secure, other.host, other.port)


def headers_for_another_host(headers: Headers) -> Headers:
    """Without the user's own headers, cookies and authorization, which were meant for the first host."""
    return Headers([pair for pair in headers.raw_items() if pair[0].lower() in _KEPT])
