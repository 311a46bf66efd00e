"""Openings that fail: each cause has its name, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import replace
from typing import Any

import pytest
from opening_client import Client, responding, run, served, served_tcp
from support import hostile
from support.certificates import Certificates

from wsload.load.ws.failures import failure_kind
from wsload.load.ws.opening import OpenOptions

HTTP = {
    "200": (hostile.status(200), "bad status 200"),
    "404": (hostile.status(404), "bad status 404"),
    "503": (hostile.status(503), "bad status 503"),
    "garbage": (hostile.raw_garbage, "bad handshake"),
    "wrong accept": (hostile.wrong_accept, "bad handshake"),
    "endless headers": (hostile.endless_headers, "timeout"),
    "silent": (hostile.silent, "timeout"),
}


@pytest.mark.parametrize("server", HTTP)
def test_a_server_that_does_not_upgrade_is_named(server: str) -> None:
    handler, kind = HTTP[server]

    async def body() -> None:
        async with served_tcp(handler) as port:
            client = Client(timeout_s=0.2 if kind == "timeout" else 20)
            assert await client.fails(f"ws://127.0.0.1:{port}/") == kind
            assert client.logged == []

    run(body)


@pytest.mark.parametrize("handler", [hostile.hang_up, hostile.cut_response])
def test_a_server_that_hangs_up_is_named(handler: hostile.TcpHandler) -> None:
    async def body() -> None:
        async with served_tcp(handler) as port:
            assert await Client().fails(f"ws://127.0.0.1:{port}/") in ("reset", "bad handshake")

    run(body)


def test_a_port_nobody_listens_on_is_refused() -> None:
    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        assert await Client().fails(f"ws://127.0.0.1:{port}/") == "refused"

    run(body)


@pytest.mark.parametrize("chosen", [None, "other"])
def test_a_subprotocol_not_agreed_on_fails_the_opening(chosen: Any) -> None:
    async def body() -> None:
        async with served(select_subprotocol=lambda *_: chosen) as port:
            assert await Client().fails(f"ws://127.0.0.1:{port}/", "json") == "subprotocol"

    run(body)


def test_tls_failures_are_named_and_leave_nothing_open(certificates: Certificates) -> None:
    async def body() -> None:
        trusting = ssl.create_default_context(cafile=str(certificates.authority))
        async with served(ssl=certificates.server_context()) as port, served() as plain_port:
            for _ in range(3):
                assert await Client().fails(f"wss://127.0.0.1:{port}/") == "tls"
                assert await Client(tls=trusting).fails(f"wss://127.0.0.1:{plain_port}/") in ("tls", "reset")
                assert await Client().fails(f"ws://127.0.0.1:{port}/") in ("bad handshake", "reset")

    run(body)
    before = len(os.listdir("/dev/fd"))
    run(body)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("hops", ["in circles", "to plain ws"])
def test_redirects_that_are_not_followed_are_named(hops: str, certificates: Certificates) -> None:
    async def body() -> None:
        tls = certificates.server_context() if hops == "to plain ws" else None
        location = "ws://127.0.0.1:1/" if tls else "/again"
        handler = responding(
            f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        )
        async with served_tcp(handler, ssl=tls) as port:
            client = Client(tls=ssl.create_default_context(cafile=str(certificates.authority)))
            assert await client.fails(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/") == "redirect"

    run(body)


def test_a_proxy_that_refuses_is_named() -> None:
    async def body() -> None:
        async with served_tcp(hostile.status(407)) as port:
            assert await Client(proxy=f"http://127.0.0.1:{port}").fails("ws://127.0.0.1:1/") == "proxy"

    run(body)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign"), "no free port"),
        (OSError(errno.ENETUNREACH, "Unreachable"), "unreachable"),
        (OSError(errno.ETIMEDOUT, "Timed out"), "timeout"),
        (ConnectionResetError(), "reset"),
        (OSError("something"), "os error"),
        (TimeoutError(), "timeout"),
        (EOFError(), "reset"),
        (LookupError("a bug"), "LookupError"),
    ],
)
def test_kinds_of_what_a_test_can_not_provoke(error: Exception, kind: str) -> None:
    assert failure_kind(error)[0] == kind


def test_what_options_hold_is_not_shown() -> None:
    options = OpenOptions(headers=(("Authorization", "Bearer s3cret"),), proxy="http://me:s3cret@proxy")
    assert "s3cret" not in repr(replace(options, timeout_s=1.0))
