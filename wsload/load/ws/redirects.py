"""Redirects of the opening handshake: where to go next, and what goes along."""

from __future__ import annotations

from typing import Final

from websockets.datastructures import Headers
from websockets.uri import parse_uri

from wsload.errors import UsageError
from wsload.load.ws.handshake import Refused
from wsload.load.ws.url import resolve_url, unix_target

MOST_REDIRECTS: Final = 10
_STATUSES: Final = frozenset({300, 301, 302, 303, 307, 308})
_KEPT: Final = frozenset({"user-agent", "origin", "accept", "accept-language", "accept-encoding"})
"""Headers that go along to another host: what a client says of itself, and no secret."""


class BadRedirect(Exception):  # the server's
    """A redirect that is not followed, and why."""


def target_of(refusal: Refused, url: str) -> str | None:
    """The URL to open instead, absolute; None when the answer is no redirect. Raises `BadRedirect`."""
    location = refusal.headers.get("location")
    if refusal.status not in _STATUSES or not location:
        return None
    try:
        target = resolve_url(location.partition("#")[0], url)
    except UsageError:
        raise BadRedirect(f"status {refusal.status} to what is no WebSocket URL") from None
    here, there = unix_target(url), unix_target(target)
    if there is not None and (here is None or here[0] != there[0]):
        raise BadRedirect("to a Unix socket of this host")
    if url.startswith("wss:") and not target.startswith("wss:"):
        raise BadRedirect(f"from wss:// to {origin_of(target)}, which is not secure")
    return target


def origin_of(url: str) -> str:
    """Where a URL leads, as it may be shown: without path, query and user."""
    if unix_target(url) is not None:
        return "a Unix socket"
    uri = parse_uri(url)
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return f"{'wss' if uri.secure else 'ws'}://{host}:{uri.port}"


def same_host(one: str, other: str) -> bool:
    """Whether two URLs lead to the same place: scheme, host and port, or the same Unix socket."""
    sockets = unix_target(one), unix_target(other)
    if sockets != (None, None):
        return sockets[0] is not None and sockets[1] is not None and sockets[0][0] == sockets[1][0]
    return origin_of(one) == origin_of(other)


def headers_for_another_host(headers: Headers) -> Headers:
    """Without the user's own headers, cookies and authorization, which were meant for the first host."""
    return Headers([pair for pair in headers.raw_items() if pair[0].lower() in _KEPT])
