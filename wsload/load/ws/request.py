"""The headers of an opening request: the run's defaults, and those that one opening adds or replaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from websockets.datastructures import Headers

from wsload.errors import UsageError

Pairs = Iterable[tuple[str, str]]

HANDSHAKE_HEADERS: Final = frozenset(
    {
        "host",
        "connection",
        "upgrade",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
    }
)
"""Headers that the handshake sets itself."""


def request_headers(defaults: Pairs, headers: Pairs, cookies: Pairs) -> Headers:
    """The headers to add to the handshake's own.

    ``headers`` and ``cookies`` replace defaults of the same name; all cookies go into one ``Cookie`` header. Raises
    `UsageError` for invalid headers, and for those that the handshake sets itself.
    """
    headers = list(headers)
    for name, value in headers:
        _check(name, value)
    replaced = {name.lower() for name, _ in headers}
    merged = Headers([pair for pair in defaults if pair[0].lower() not in replaced] + headers)
    jar: dict[str, str] = {}
    for line in merged.get_all("Cookie"):
        jar.update(
            (name.strip(), value) for name, _, value in (each.partition("=") for each in line.split(";"))
        )
    for name, value in cookies:
        if not name or not _printable(name + value) or set(name) & set("=;,") or ";" in value:
            raise UsageError(f"the cookie {name!r} can't be sent: printable ASCII without ';' is allowed")
        jar[name] = value
    if jar:
        if "Cookie" in merged:
            del merged["Cookie"]
        merged["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
    return merged


def _check(name: str, value: str) -> None:
    if name.lower() in HANDSHAKE_HEADERS:
        raise UsageError(f"the header {name} is set by the handshake: leave it out")
    if not name or not _printable(name + value) or set(name) & set(" :"):
        raise UsageError(f"the header {name!r} can't be sent: one printable line is allowed")


def _printable(text: str) -> bool:
    return text.isascii() and text.isprintable()
