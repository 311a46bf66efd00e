"""Runs the chat server as a process: its socket, its limits, its end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable

import uvloop

from wsload.errors import UsageError
from wsload.load.engine.limits import file_limit, raise_file_limit
from wsload.server.account import Account, Truth
from wsload.server.app import BACKLOG, ChatServer
from wsload.server.faults import parse_faults
from wsload.server.options import ServerOptions
from wsload.words import counted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(options: ServerOptions, *, ready: Callable[[str], None], until_eof: bool = False) -> Account:
    """Serves until SIGINT or SIGTERM, or until standard input ends; returns the totals.

    ``ready`` is called with the URL once the server listens. Raises `UsageError` for options that can't work, such
    as a port in use, and if the truth file can't be written, which may happen later.
    """
    parse_faults(options.faults)
    tls = _tls(options)
    # Clients' errors are counted, not logged.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    raise_file_limit()
    with _listening(options) as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        truth = Truth(options.truth) if options.truth is not None else None
        return runner.run(_serve(options, listening, tls, truth, ready, until_eof))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on this host; a name is resolved first.

    Raises `UsageError` if the name does not resolve.
    """
    address = _resolved(host, 0)[1][0]
    return ipaddress.ip_address(str(address).partition("%")[0]).is_loopback


async def _serve(
    options: ServerOptions,
    listening: socket.socket,
    tls: ssl.SSLContext | None,
    truth: Truth | None,
    ready: Callable[[str], None],
    until_eof: bool,
) -> Account:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, over.set)
    if until_eof:
        threading.Thread(target=_await_eof, args=(loop, over), daemon=True).start()
    server = ChatServer(options, loop=loop, truth=truth, on_full=_say_full)
    await server.start(listening, tls)
    # Modules live as long as the process, and so may thousands of connections: with 5,000 connections a garbage
    # collection took 100 ms, in the middle of a measurement.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    ready(_url(listening, tls))
    try:
        await (over.wait() if truth is None else truth.flush_until(over))
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)  # a second signal ends the process at once
        await server.stop()
    if truth is not None:
        truth.close(server.account)
    return server.account


def _say_full(connections: int) -> None:
    print(
        f"wsload serve: full with {counted(connections, 'user')}: this process may open no more than "
        f"{counted(file_limit(), 'file')}. Raise its hard limit (ulimit -Hn, LimitNOFILE=). "
        "Further users get status 503",
        file=sys.stderr,
        flush=True,
    )


def _await_eof(loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    # os.read, because a thread that reads sys.stdin at interpreter exit aborts the process.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is already closed
        loop.call_soon_threadsafe(over.set)


def _listening(options: ServerOptions) -> socket.socket:
    family, address = _resolved(options.host, options.port)
    try:
        listening = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        place = f"--host {options.host} --port {options.port}"
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"{place}: the port is in use; choose another, or 0 for a free one") from None
        why = (error.strerror or str(error)).partition(" (")[0]  # Python adds the address
        raise UsageError(f"{place}: {why}") from None
    # Accepted sockets inherit this: a peer that vanished is noticed after 40 s. The library's pings would do the
    # same, but take 2 KiB and a task per connection, and add traffic to the measurement.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    return listening


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The first address that the host name resolves to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):  # UnicodeError: what IDNA can't encode
        raise UsageError(f"--host {host!r}: no such host") from None
    return found[0], found[4]  # type: ignore[return-value]  # IPv6 has two more items


def _url(listening: socket.socket, tls: ssl.SSLContext | None) -> str:
    host, port = listening.getsockname()[:2]
    return f"{'wss' if tls else 'ws'}://{f'[{host}]' if ':' in host else host}:{port}/"


def _tls(options: ServerOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        if options.tls_key is not None:
            raise UsageError("--tls-key: needs --tls-cert too")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Never asks for a password: an encrypted key is an error.
        context.load_cert_chain(options.tls_cert, options.tls_key, password="")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        names = " ".join(str(name) for name in (options.tls_cert, options.tls_key) if name)
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UsageError(f"--tls-cert/--tls-key {names}: {reason}") from None
    return context
