"""Opens a connection: name resolution, TCP, TLS, upgrade. Each phase is timed, and each failure gets a name."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from websockets.datastructures import Headers

from wsload.echoes import secrets_of_headers, secrets_of_subprotocols, secrets_of_url, without_secrets
from wsload.errors import OpenError, UsageError
from wsload.load.engine.timers import DelayQueue, TimerQueue
from wsload.load.ws.compat import USER_AGENT
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.dialing import Route, dial
from wsload.load.ws.failures import failure_kind
from wsload.load.ws.handshake import Handshake, Refused
from wsload.load.ws.keepalive import Keepalive
from wsload.load.ws.redirects import (
    MAX_REDIRECTS,
    BadRedirect,
    headers_for_another_host,
    origin_of,
    same_origin,
    shown,
    target_of,
)
from wsload.load.ws.request import Pairs, request_headers
from wsload.load.ws.upgrading import Upgrade
from wsload.load.ws.url import parse_address, parsed, unix_target
from wsload.measure.names import CANCELLED
from wsload.measure.recorder import Recorder
from wsload.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """How connections are opened. Built once per run; holds secrets, so it is never written anywhere."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Additional request headers, including cookies and authorization."""
    origin: str | None = None
    """The ``Origin`` header."""
    timeout_s: float = 10.0
    """For the whole opening, in seconds."""
    compression: bool = False
    """Whether permessage-deflate (RFC 7692) is offered."""
    tls: ssl.SSLContext | None = None
    """For ``wss://``; None for the system's default verification."""
    proxy: str | None = field(default=None, repr=False)
    """The URL of a proxy; the environment's proxies are never used."""
    max_message_bytes: int = 1 << 20
    """A larger message fails the connection with 1009."""
    close_timeout_s: float = 5.0
    """How long a closing handshake may take before the connection is dropped."""
    connect_to: str | None = None
    """``HOST:PORT`` to open TCP connections to, instead of the URL's."""
    ping_interval_s: float | None = 20.0
    """How often each connection is pinged, in seconds; None for never."""
    ping_timeout_s: float | None = 20.0
    """A ping that is unanswered for this long fails the connection; None for never."""
    source_ips: tuple[str, ...] = ()
    """Local addresses to open from, round robin; empty for the system's choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What one opening asks for."""

    url: str
    headers: Headers
    subprotocols: tuple[str, ...]
    server_name: str | None
    connect_to: str | None
    source_ip: str | None
    metric: str
    followed: list[str] = field(default_factory=list)
    """The URLs that were asked for, in order: the first, and those of redirects."""

    def secrets(self, proxy: str | None) -> Iterator[str]:
        """All that the requests held and that a server may quote."""
        for url in (*self.followed, proxy or ""):
            yield from secrets_of_url(url)
        yield from secrets_of_headers(self.headers.raw_items())
        yield from secrets_of_subprotocols(self.subprotocols)


class Opener:
    """Opens the connections of one process, and records the duration of each phase, and failures."""

    def __init__(self, options: OpenOptions, recorder: Recorder, timers: TimerQueue) -> None:
        self._options = options
        self._recorder = recorder
        self._timers = timers
        self._keepalive = _keepalive(options, timers)
        self._close_timeouts = DelayQueue(timers, int(options.close_timeout_s * 1e9), deadlines=True)
        self._opened = 0

    async def open(
        self,
        url: str,
        *,
        subprotocols: tuple[str, ...],
        intended_ns: int,
        lag_ns: int = 0,
        headers: Pairs = (),
        cookies: Pairs = (),
        server_name: str | None = None,
        connect_to: str | None = None,
        metric: str = "open",
        wanted: Callable[[], bool] = lambda: True,
    ) -> TimedConnection:
        """Opens a connection; the time since ``intended_ns`` is recorded as ``metric``.

        The load generator may have been late by up to ``lag_ns`` after that.
        ``subprotocols`` are offered in order of preference; if there are any, the server must choose one.
        ``headers`` and ``cookies`` replace the run's of the same name. ``server_name`` replaces the URL's host
        in TLS (SNI and verification); ``connect_to`` (``HOST:PORT``) is where the TCP connection goes, as with
        curl's ``--connect-to``. If the caller is cancelled, ``wanted`` says whether that counts as a failure.

        Raises `OpenError`, which was counted by its kind, and `UsageError` for invalid arguments.
        """
        options, recorder = self._options, self._recorder
        origin = () if options.origin is None else (("Origin", options.origin),)
        source_ips = options.source_ips
        asked = _Asked(
            url=url,
            headers=request_headers((*options.headers, *origin), headers, cookies),
            subprotocols=subprotocols,
            server_name=server_name,
            connect_to=options.connect_to if connect_to is None else connect_to,
            source_ip=source_ips[self._opened % len(source_ips)] if source_ips else None,
            metric=metric,
        )
        self._opened += 1
        try:
            async with self._timers.limit(options.timeout_s):
                connection = await self._open(asked)
        except UsageError:
            raise
        except asyncio.CancelledError:
            if wanted():
                self._failed(metric, CANCELLED, f"at {shown(url)}")
            raise
        except Exception as error:
            kind, detail = failure_kind(error)
            detail = without_secrets(detail, asked.secrets(options.proxy))
            detail = "; ".join((detail, *getattr(error, "__notes__", (f"at {shown(url)}",))))
            self._failed(metric, kind, detail)
            raise OpenError(kind, detail) from None
        if self._keepalive is not None:
            self._keepalive.start(connection)
        recorder.count.opens += 1
        self._record(f"{metric}.upgrade", connection.made_ns, connection.response_ns)
        self._record(metric, intended_ns, connection.response_ns, lag_ns)
        return connection

    def _failed(self, metric: str, kind: str, detail: str) -> None:
        self._recorder.count.open_failures += 1
        self._recorder.failed(metric, kind, detail=detail)

    def _record(self, metric: str, from_ns: int, to_ns: int, lag_ns: int = 0) -> None:
        # Phases of openings with another name than ``open`` are not declared, and not recorded.
        if metric in self._recorder.values:
            self._recorder.timed(metric, from_ns, to_ns, lag_ns)

    async def _open(self, asked: _Asked) -> TimedConnection:
        """Opens the connection, following redirects."""
        url, headers, began_ns = asked.url, asked.headers, time.monotonic_ns()
        for hop in range(MAX_REDIRECTS + 1):
            redirected_ns = time.monotonic_ns()
            asked.followed.append(url)
            try:
                connection = await self._open_one(asked, url, headers)
            except Refused as refusal:
                target = target_of(refusal, url)
                if target is None:
                    _note_redirect(refusal, hop, url)
                    raise
                if unix_target(url) is not None or not same_origin(parsed(url), parsed(target)):
                    headers = headers_for_another_host(headers)
                url = target
            except Exception as error:
                _note_redirect(error, hop, url)
                raise
            else:
                if hop:
                    self._record(f"{asked.metric}.redirect", began_ns, redirected_ns)
                return connection
        raise BadRedirect(f"more than {MAX_REDIRECTS} redirects, the last to {origin_of(url)}")

    async def _open_one(self, asked: _Asked, url: str, headers: Headers) -> TimedConnection:
        options, recorder = self._options, self._recorder
        unix = unix_target(url)
        uri = parsed(unix[1] if unix else url)
        address: tuple[str, int] | str = unix[0] if unix else (uri.host, uri.port)
        # Another host, after a redirect, gets no settings that were meant for the first.
        first = url == asked.url or (unix is None and same_origin(uri, parsed(asked.url)))
        if first and unix is None and asked.connect_to is not None:
            address = parse_address(asked.connect_to)
        route = Route(
            uri=uri,
            address=address,
            server_name=asked.server_name if first and asked.server_name is not None else uri.host,
            tls=options.tls,
            proxy=options.proxy,
            source_ip=asked.source_ip,
        )
        handshake = Handshake(
            uri,
            headers=headers,
            subprotocols=asked.subprotocols,
            compression=options.compression,
            user_agent=USER_AGENT,
        )

        def upgrade() -> Upgrade:
            return Upgrade(
                handshake,
                recorder=recorder,
                close_timeouts=self._close_timeouts,
                limit=options.max_message_bytes,
            )

        def record(phase: str, from_ns: int, to_ns: int) -> None:
            self._record(asked.metric + phase, from_ns, to_ns)

        begun = await dial(route, upgrade, record)
        try:
            return await begun.opened
        except BaseException:
            begun.abort()
            raise


def _note_redirect(error: Exception, hop: int, url: str) -> None:
    if hop:
        error.add_note(f"after {counted(hop, 'redirect')}, to {shown(url)}")


def _keepalive(options: OpenOptions, timers: TimerQueue) -> Keepalive | None:
    if options.ping_interval_s is None:
        return None
    timeout_s = options.ping_timeout_s
    return Keepalive(
        timers,
        interval_ns=int(options.ping_interval_s * 1e9),
        timeout_ns=None if timeout_s is None else int(timeout_s * 1e9),
    )
