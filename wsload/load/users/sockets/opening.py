"""What a user opens: the URL, headers and other settings of one opening."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]

READ_AGAIN: Final = ("headers", "cookies", "subprotocols")
"""What every opening reads. An iterator can be read only once, so it is made a tuple beforehand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The settings of one opening; those left out come from the user class or the run.

    They may hold secrets (tokens, cookies), so they are never written anywhere.
    """

    url: str | None = None
    """A URL, or a path on the host."""
    query: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Parameters added to the URL's query."""
    headers: Pairs = field(default=(), repr=False)
    """Request headers; they replace the run's of the same name (``--ws-header``)."""
    cookies: Pairs = field(default=(), repr=False)
    """Cookies; they replace the run's of the same name (``--ws-cookie``)."""
    subprotocols: tuple[str, ...] | None = None
    """Offered in this order; if there are any, the server must choose one."""
    server_name: str | None = None
    """The name sent (SNI) and verified in TLS, instead of the URL's host."""
    connect_to: str | None = None
    """``HOST:PORT`` of the TCP connection, instead of the URL's (curl's ``--connect-to``)."""

    def __post_init__(self) -> None:
        for name in READ_AGAIN:
            if isinstance(given := getattr(self, name), Iterator):
                object.__setattr__(self, name, tuple(given))

    def over(self, other: Opening) -> Opening:
        """This opening, with settings that it leaves out taken from the other."""
        if self is USUAL:
            return other
        named = {name.lower() for name, _ in pairs(self.headers)}
        kept = tuple(pair for pair in pairs(other.headers) if pair[0].lower() not in named)
        return Opening(
            url=other.url if self.url is None else self.url,
            query={**other.query, **self.query},
            headers=(*kept, *pairs(self.headers)),
            cookies=tuple(dict((*pairs(other.cookies), *pairs(self.cookies))).items()),
            subprotocols=other.subprotocols if self.subprotocols is None else self.subprotocols,
            server_name=other.server_name if self.server_name is None else self.server_name,
            connect_to=other.connect_to if self.connect_to is None else self.connect_to,
        )

    def settings(self) -> dict[str, Any]:
        """The arguments for `wsload.load.ws.opening.Opener.open` besides the URL."""
        return {
            "headers": pairs(self.headers),
            "cookies": pairs(self.cookies),
            "subprotocols": self.subprotocols or (),
            "server_name": self.server_name,
            "connect_to": self.connect_to,
        }

    def full_url(self, url: str) -> str:
        """The URL with this opening's query added."""
        if not self.query:
            return url
        parts = urlsplit(url)
        query = "&".join(filter(None, (parts.query, urlencode(dict(self.query), doseq=True))))
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


USUAL: Final = Opening()
"""Leaves everything out."""


def pairs(given: Pairs) -> tuple[tuple[str, str], ...]:
    """Headers or cookies as (name, value), in order."""
    items = given.items() if isinstance(given, Mapping) else given
    return tuple((str(name), str(value)) for name, value in items)
