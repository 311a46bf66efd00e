"""Opening a connection, phase by phase: name, TCP, TLS, upgrade; each timed, each failure named."""

from __future__ import annotations

import _socket  # the C class: gevent, where it patches, replaces socket.socket by one that waits on its hub
import asyncio
import functools
import ipaddress
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError

from wsload.errors import OpenError, UsageError
from wsload.load.engine.timers import TimerQueue
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.failures import failure_kind
from wsload.load.ws.keepalive import Keepalive
from wsload.load.ws.logger import QuietLogger
from wsload.load.ws.request import Pairs, request_headers
from wsload.load.ws.url import parse_address, unix_target
from wsload.measure.recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOptions:
    """How connections are opened. Built once a run; holds secrets, so it is never written anywhere."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Additional request headers, cookies and authorization among them."""
    origin: str | None = None
    """The ``Origin`` header."""
    timeout_s: float = 10.0
    """For the whole opening, in seconds."""
    compression: bool = False
    """Whether permessage-deflate (RFC 7692) is offered."""
    tls: ssl.SSLContext | None = None
    """For ``wss://``; None for the system's default verification."""
    proxy: str | None = field(default=None, repr=False)
    """A proxy's URL, or None for none: the environment's proxies are not used."""
    max_message_bytes: int = 1 << 20
    """A larger message fails the connection with 1009."""
    close_timeout_s: float = 5.0
    """How long a closing handshake may take before the connection is dropped."""
    connect_to: str | None = None
    """``HOST:PORT`` to open TCP connections to, instead of the URL's; None for the URL's."""
    ping_interval_s: float | None = 20.0
    """How often each connection is pinged, in seconds; None for never."""
    ping_timeout_s: float | None = 20.0
    """A ping unanswered for so long fails the connection; None for never."""
    source_ips: tuple[str, ...] = ()
    """Local addresses to open from, round robin; empty for the system's choice."""
    on_log: Callable[[str], None] | None = field(default=None, repr=False)
    """Told of what the library would log as an error."""


class _HandedSocket(_socket.socket):
    """A socket that uvloop takes over: libuv closes the descriptor, and by then its number may be another's.

    uvloop lets go of sockets of Python's own class by ``detach``, but of any other by ``close``.
    """

    close = _socket.socket.detach  # type: ignore[assignment]

    def abandon(self) -> None:
        """Closes a socket that was not handed over."""
        super().close()


@functools.lru_cache(maxsize=1024)
def _literal_family(host: str) -> int | None:
    """The address family of a host that is given as an address; None for a name."""
    try:
        return _socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else _socket.AF_INET
    except ValueError:
        return None


class _PhasedConnect(connect):
    """The library's ``connect``, with name look-up and TCP connection done here, to time them."""

    def __init__(
        self,
        uri: str,
        *,
        address: tuple[str, int] | str | None,
        source_ip: str | None,
        record: Callable[[str, int], None],
        **settings: Any,
    ):
        super().__init__(uri, **settings)
        self._address = address
        self._named = self.ws_uri.host, self.ws_uri.port
        self._source_ip = source_ip
        self._record = record
        self.ready_ns = 0

    async def open_tcp_connection(self) -> ClientConnection:
        if self.proxy is not None:
            return await super().open_tcp_connection()
        loop = asyncio.get_running_loop()
        sock = await self._connected(loop, await self._addresses(loop))
        # Only for the call: with a socket of ours left in its settings the library follows no redirect.
        unix = {"unix": True} if sock.family == _socket.AF_UNIX else {}
        self.create_connection_kwargs.update(sock=sock, **unix)
        try:
            connection = await super().open_tcp_connection()
        finally:
            for name in ("sock", *unix):
                del self.create_connection_kwargs[name]
        assert isinstance(connection, TimedConnection)
        if self.ws_uri.secure:
            self._record(".tls", connection.made_ns - self.ready_ns)
        return connection

    async def _addresses(self, loop: asyncio.AbstractEventLoop) -> list[tuple[int, Any]]:
        host, port = named = self.ws_uri.host, self.ws_uri.port
        if self._address is not None and named == self._named:
            if isinstance(self._address, str):
                return [(_socket.AF_UNIX, self._address)]
            host, port = self._address
        family = _literal_family(host)
        if family is not None:
            return [(family, (host, port))]
        start = time.monotonic_ns()
        found = await loop.getaddrinfo(host, port, type=_socket.SOCK_STREAM)
        self._record(".dns", time.monotonic_ns() - start)
        return [(family, address) for family, _, _, _, address in found]

    async def _connected(self, loop: asyncio.AbstractEventLoop, addresses: list[tuple[int, Any]]) -> Any:
        start = time.monotonic_ns()
        errors: list[OSError] = []
        for family, address in addresses:
            sock = _HandedSocket(family, _socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                if family != _socket.AF_UNIX:
                    sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
                if self._source_ip is not None and family != _socket.AF_UNIX:
                    # Lets the kernel choose the port at connect, so that one address serves
                    # 28,000 connections per destination (ip(7), IP_BIND_ADDRESS_NO_PORT).
                    sock.setsockopt(_socket.IPPROTO_IP, getattr(_socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
                    sock.bind((self._source_ip, 0))
                await loop.sock_connect(sock, address)  # type: ignore[arg-type]  # all uvloop needs of it
            except OSError as error:
                sock.abandon()
                errors.append(error)
            except BaseException:
                sock.abandon()
                raise
            else:
                self.ready_ns = time.monotonic_ns()
                self._record(".tcp", self.ready_ns - start)
                return sock
        raise errors[0]


class Opener:
    """Opens the connections of one process, and records how long the phases took and what failed.

    With ``timers`` it has the connections pinged, as the options say.
    """

    def __init__(self, options: OpenOptions, recorder: Recorder, timers: TimerQueue | None = None) -> None:
        self._options = options
        self._recorder = recorder
        self._keepalive = _keepalive(options, timers)
        self._logger = QuietLogger(options.on_log)
        self._opened = 0

    async def open(
        self,
        url: str,
        *,
        subprotocols: tuple[str, ...],
        intended_ns: int,
        headers: Pairs = (),
        cookies: Pairs = (),
        server_name: str | None = None,
        connect_to: str | None = None,
        metric: str = "open",
    ) -> TimedConnection:
        """A connection that is open, its subprotocol agreed; recorded as ``metric`` from ``intended_ns``.

        ``subprotocols`` are offered in order of preference; with any offered, the server has to choose one
        of them. ``headers`` replace the run's of the same name, ``cookies`` the run's cookies of the same
        name. ``server_name`` is asked for and verified in TLS, instead of the URL's host; ``connect_to``
        (``HOST:PORT``) is where the TCP connection goes, as with curl's ``--connect-to``.

        Raises `OpenError`, counted by its kind, and `UsageError` for what can't be asked for.
        """
        recorder = self._recorder
        try:
            connection = await self._connect(
                url,
                subprotocols=subprotocols,
                headers=request_headers(self._options.headers, headers, cookies),
                server_name=server_name,
                connect_to=self._options.connect_to if connect_to is None else connect_to,
                metric=metric,
            )
        except UsageError:
            raise
        except Exception as error:
            kind, detail = failure_kind(error)
            recorder.count.open_failures += 1
            recorder.failed(metric, kind)
            raise OpenError(kind, detail) from None
        if self._keepalive is not None:
            self._keepalive.start(connection)
        recorder.count.opens += 1
        recorder.values[f"{metric}.upgrade"].append(connection.response_ns - connection.made_ns)
        recorder.values[metric].append(connection.response_ns - intended_ns)
        return connection

    async def _connect(
        self,
        url: str,
        *,
        subprotocols: tuple[str, ...],
        headers: Headers,
        server_name: str | None,
        connect_to: str | None,
        metric: str,
    ) -> TimedConnection:
        options = self._options

        def create(protocol: ClientProtocol, **settings: Any) -> TimedConnection:
            return TimedConnection(protocol, recorder=self._recorder, **settings)

        address: tuple[str, int] | str | None = parse_address(connect_to) if connect_to else None
        unix = unix_target(url)
        if unix is not None:
            address, url = unix
        settings: dict[str, Any] = {}
        if url.startswith("wss:"):
            if options.tls is not None:
                settings["ssl"] = options.tls
            if server_name is not None:
                settings["server_hostname"] = server_name
        source_ip = options.source_ips[self._opened % len(options.source_ips)] if options.source_ips else None
        self._opened += 1
        origin = headers.get("Origin", options.origin)
        if "Origin" in headers:
            del headers["Origin"]
        connection = await _PhasedConnect(
            url,
            address=address,
            source_ip=source_ip,
            record=lambda phase, spent_ns: self._recorder.values[metric + phase].append(spent_ns),
            origin=origin,
            subprotocols=list(subprotocols) or None,
            compression="deflate" if options.compression else None,
            additional_headers=headers or None,
            proxy=None if unix else options.proxy,
            open_timeout=options.timeout_s,
            close_timeout=options.close_timeout_s,
            ping_interval=None,  # `Keepalive` pings: a task per connection costs 2 KiB
            max_size=options.max_message_bytes,
            logger=self._logger,
            create_connection=create,
            **settings,
        )
        assert isinstance(connection, TimedConnection)
        if subprotocols and connection.subprotocol is None:
            connection.abort()
            raise NegotiationError(f"no subprotocol chosen, {', '.join(subprotocols)} offered")
        return connection


def _keepalive(options: OpenOptions, timers: TimerQueue | None) -> Keepalive | None:
    if timers is None or options.ping_interval_s is None:
        return None
    timeout_s = options.ping_timeout_s
    return Keepalive(
        timers,
        interval_ns=int(options.ping_interval_s * 1e9),
        timeout_ns=None if timeout_s is None else int(timeout_s * 1e9),
    )
