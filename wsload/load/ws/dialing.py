"""Connects to a server: name resolution, TCP or Unix socket, proxy, TLS; each phase is timed."""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from websockets.uri import WebSocketURI

from wsload.load.engine.compat import HandedSocket, connect_socket
from wsload.load.ws.compat import USER_AGENT, connect_http_proxy, connect_socks_proxy, parse_proxy
from wsload.load.ws.upgrading import Upgrade

_NO_TLS: Final = "during the TLS handshake: if the server does not speak TLS on this port, use ws://"

Record = Callable[[str, int, int], None]
"""Takes a phase (``.dns``, ``.tcp``, ``.tls``), when it began and when it ended (monotonic)."""


class NotLocal(OSError):
    """The source address does not belong to this host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to a server."""

    uri: WebSocketURI
    address: tuple[str, int] | str
    """Host and port, or the path of a Unix socket; may differ from the URI's."""
    server_name: str
    """The name sent (SNI) and verified in TLS."""
    tls: ssl.SSLContext | None
    """For ``wss``; None for the system's default verification."""
    proxy: str | None
    source_ip: str | None

    @property
    def direct(self) -> tuple[str, int] | None:
        """Host and port, if the event loop can do it all: its connection is made when the TCP connection is."""
        if self.uri.secure or self.source_ip is not None or isinstance(self.address, str):
            return None
        return self.address if _literal_family(self.address[0]) is not None else None


async def dial(route: Route, upgrade: Callable[[], Upgrade], record: Record) -> Upgrade:
    """Connects and starts the upgrade. Raises `OSError`, and the library's exceptions for proxies."""
    secure: dict[str, Any] = {}
    if route.uri.secure:
        secure = {"ssl": route.tls or ssl.create_default_context(), "server_hostname": route.server_name}
    loop = asyncio.get_running_loop()
    if route.proxy is not None and isinstance(route.address, tuple):
        return await _dial_through_proxy(loop, route, upgrade, secure)
    if (address := route.direct) is not None:
        return await _dial_directly(loop, address, upgrade, record)
    sock = await _connected(loop, route, await _addresses(loop, route.address, record), record)
    ready_ns = time.monotonic_ns()
    create: Any = loop.create_unix_connection if sock.family == socket.AF_UNIX else loop.create_connection
    try:
        _, begun = await create(upgrade, sock=sock, **secure)
    except ConnectionError as error:
        if secure:
            raise ConnectionResetError(errno.ECONNRESET, _NO_TLS) from error
        raise
    assert isinstance(begun, Upgrade)
    if secure:
        record(".tls", ready_ns, begun.made_ns)
    return begun


async def _dial_directly(
    loop: asyncio.AbstractEventLoop,
    address: tuple[str, int],
    upgrade: Callable[[], Upgrade],
    record: Record,
) -> Upgrade:
    start = time.monotonic_ns()
    _, begun = await loop.create_connection(upgrade, *address)
    record(".tcp", start, begun.made_ns)
    return begun


async def _dial_through_proxy(
    loop: asyncio.AbstractEventLoop, route: Route, upgrade: Callable[[], Upgrade], secure: dict[str, Any]
) -> Upgrade:
    assert route.proxy is not None and isinstance(route.address, tuple)
    proxy = parse_proxy(route.proxy)
    host, port = route.address
    target = replace(route.uri, host=host, port=port)
    if proxy.scheme.startswith("socks"):
        sock = await connect_socks_proxy(proxy, target)
        _, begun = await loop.create_connection(upgrade, sock=sock, **secure)
        return begun
    to_proxy = {"ssl": True} if proxy.scheme == "https" else {}
    transport: Any = await connect_http_proxy(proxy, target, user_agent_header=USER_AGENT, **to_proxy)
    begun = upgrade()
    try:
        transport.set_protocol(begun)
        if secure:
            context = secure.pop("ssl")
            transport = await loop.start_tls(transport, begun, context, **secure)
        begun.connection_made(transport)
    except BaseException:
        transport.abort()
        raise
    return begun


async def _addresses(
    loop: asyncio.AbstractEventLoop, address: tuple[str, int] | str, record: Record
) -> list[tuple[int, Any]]:
    if isinstance(address, str):
        return [(socket.AF_UNIX, address)]
    host, port = address
    family = _literal_family(host)
    if family is not None:
        return [(family, (host, port))]
    start = time.monotonic_ns()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    record(".dns", start, time.monotonic_ns())
    return [(family, each) for family, _, _, _, each in found]


async def _connected(
    loop: asyncio.AbstractEventLoop, route: Route, addresses: list[tuple[int, Any]], record: Record
) -> HandedSocket:
    """A socket connected to the first reachable address."""
    start = time.monotonic_ns()
    errors: list[OSError] = []
    for family, address in addresses:
        sock = HandedSocket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if route.source_ip is not None:
                    _bind(sock, route.source_ip)
            await connect_socket(loop, sock, address)
        except OSError as error:
            sock.abandon()
            errors.append(error)
        except BaseException:
            sock.abandon()
            raise
        else:
            record(".tcp", start, time.monotonic_ns())
            return sock
    raise errors[0]


def _bind(sock: HandedSocket, source_ip: str) -> None:
    # The kernel chooses the port only at connect, so that one address is enough for 28,000 connections per
    # destination (ip(7), IP_BIND_ADDRESS_NO_PORT).
    sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
    try:
        sock.bind((source_ip, 0))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise NotLocal(error.errno, f"{source_ip} is not an address of this host") from None
        raise


@functools.lru_cache(maxsize=1024)
def _literal_family(host: str) -> int | None:
    """The address family of a host that is given as an address; None for a name."""
    try:
        return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return None
