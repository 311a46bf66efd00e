"""Openings that fail: each cause has its name, and leaves nothing behind."""

from __future__ import annotations

import asyncio
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

SERVERS = {
    "200": (hostile.status(200), "bad status 200", "200 Whatever; body: hello"),
    "404": (hostile.status(404), "bad status 404", "404 Whatever; body: hello"),
    "503": (hostile.status(503), "bad status 503", "503 Whatever; body: hello"),
    "503 with a time": (
        responding("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 9\r\n\r\ncome back"),
        "bad status 503",
        "503 Busy; Retry-After: 120; body: come back",
    ),
    "chunked body": (
        responding("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nwho? what\r\n0\r\n\r\n"),
        "bad status 403",
        "403 No; body: who? what",
    ),
    "body of many lines": (
        responding("HTTP/1.1 403 No\r\n\r\n<html>\n<body>no</body>"),
        "bad status 403",
        "403 No; body: <html>",
    ),
    "body that is not text": (responding("HTTP/1.1 403 No\r\n\r\n\x00\x1b[31m"), "bad status 403", "403 No"),
    "body without end": (hostile.endless_body, "bad status 403", "403 No"),
    "body that never comes": (hostile.no_body, "bad status 403", "403 No"),
    "garbage": (hostile.raw_garbage, "bad handshake", "not HTTP/1.1"),
    "wrong accept": (hostile.wrong_accept, "bad handshake", "Sec-WebSocket-Accept"),
    "endless headers": (hostile.endless_headers, "bad handshake", "longer than 64 KiB"),
    "silent": (hostile.silent, "timeout", "--ws-open-timeout"),
    "hangs up": (hostile.hang_up, "hung up", "without an answer"),
    "hangs up in its answer": (hostile.cut_response, "hung up", "after 48 bytes"),
    "TLS alert": (responding("\x15\x03\x01\x00\x02\x02\x46"), "a TLS port", "use wss://"),
    "nginx for TLS": (
        responding(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 60\r\n\r\n"
            "400 The plain HTTP request was sent to HTTPS port, they say."
        ),
        "a TLS port",
        "use wss://",
    ),
}


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_that_does_not_upgrade_is_named_and_quoted(server: str) -> None:
    handler, kind, detail = SERVERS[server]

    async def body() -> None:
        async with served_tcp(handler) as port:
            client = Client(timeout_s=0.2 if kind == "timeout" else 20)
            error = await client.failure(f"ws://127.0.0.1:{port}/")
            assert error.kind == kind
            assert detail in error.detail
            assert error.detail.isprintable() and len(error.detail) < 300

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
                plain = await Client(tls=trusting).fails(f"wss://127.0.0.1:{plain_port}/")
                assert plain in ("not a TLS port", "reset")
                assert await Client().fails(f"ws://127.0.0.1:{port}/") in ("a TLS port", "hung up", "reset")

    run(body)
    before = len(os.listdir("/dev/fd"))
    run(body)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("ends", ["close", "abort"])
def test_a_plain_server_that_ends_a_tls_handshake_is_guessed_at(ends: str) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        getattr(writer.transport, ends)()

    async def body() -> None:
        async with served_tcp(hang_up) as port:
            error = await Client().failure(f"wss://127.0.0.1:{port}/")
            assert error.kind == "reset" and "use ws://" in error.detail

    run(body)


@pytest.mark.parametrize("hops", ["in circles", "to plain ws"])
def test_redirects_that_are_not_followed_are_named(hops: str, certificates: Certificates) -> None:
    async def body() -> None:
        tls = certificates.server_context() if hops == "to plain ws" else None
        location = "ws://me:s3cret@127.0.0.1:1/?token=s3cret" if tls else "/again?token=s3cret"
        handler = responding(
            f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        )
        async with served_tcp(handler, ssl=tls) as port:
            client = Client(tls=ssl.create_default_context(cafile=str(certificates.authority)))
            error = await client.failure(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/")
            assert error.kind == "redirect"
            assert f"ws://127.0.0.1:{1 if tls else port}" in error.detail and "s3cret" not in error.detail

    run(body)


def test_a_redirect_to_what_is_no_websocket_is_named() -> None:
    async def body() -> None:
        for location in ("ftp://u:s3cret@a.example/x?s3cret#s3cret", "ws://[", "ws://:80/"):
            handler = responding(f"HTTP/1.1 301 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
            async with served_tcp(handler) as port:
                error = await Client().failure(f"ws://127.0.0.1:{port}/")
                assert (error.kind, "s3cret" in str(error)) == ("redirect", False)
                assert error.detail.startswith(f"status 301 to '{location[:5]}"), error.detail

    run(body)


def test_a_source_address_of_another_host_is_named() -> None:
    async def body() -> None:
        async with served() as port:
            error = await Client(source_ips=("192.0.2.1",)).failure(f"ws://127.0.0.1:{port}/")
            assert (error.kind, error.detail) == (
                "source address",
                f"192.0.2.1 is not an address of this host; at ws://127.0.0.1:{port}/",
            )

    run(body)


def test_a_failure_tells_the_address_without_its_secrets() -> None:
    async def body() -> None:
        error = await Client().failure("ws://me:s3cret@127.0.0.1:1/chat?token=s3cret")
        assert error.kind == "refused"
        assert error.detail.endswith("; at ws://***@127.0.0.1:1/chat")
        assert repr(error) == str(error) == f"refused: {error.detail}"  # Locust's page shows the repr

    run(body)


@pytest.mark.parametrize(
    ("message", "strict"),
    [
        ("CA cert does not include key usage extension", True),
        ("Path length given without key usage keyCertSign", True),
        ("Missing Authority Key Identifier", True),
        ("certificate has expired", False),
    ],
)
def test_what_only_python_3_13_refuses_is_explained(message: str, strict: bool) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = message
    kind, detail = failure_kind(error)
    assert kind == "tls" and detail.startswith(message)
    assert ("--ws-ca-file" in detail) == strict


def test_a_certificate_s_fault_is_told(certificates: Certificates) -> None:
    async def body() -> None:
        async with served(ssl=certificates.server_context()) as port:
            error = await Client().failure(f"wss://127.0.0.1:{port}/")
            assert error.kind == "tls" and "certificate" in error.detail
            trusting = ssl.create_default_context(cafile=str(certificates.authority))
            error = await Client(tls=trusting).failure(
                f"wss://127.0.0.1:{port}/", server_name="another.example"
            )
            assert error.kind == "tls" and "another.example" in error.detail

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
        (EOFError(), "hung up"),
        (LookupError("a bug"), "LookupError"),
    ],
)
def test_kinds_of_what_a_test_can_not_provoke(error: Exception, kind: str) -> None:
    assert failure_kind(error)[0] == kind


def test_what_options_hold_is_not_shown() -> None:
    options = OpenOptions(headers=(("Authorization", "Bearer s3cret"),), proxy="http://me:s3cret@proxy")
    assert "s3cret" not in repr(replace(options, timeout_s=1.0))


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9"


async def quoting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuses, and quotes the whole request in one line."""
    head = (await reader.readuntil(b"\r\n\r\n")).replace(b"\r\n", b" ")
    writer.write(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
    await writer.drain()


async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks no HTTP, but sends back what it gets."""
    writer.write(await reader.readuntil(b"\r\n\r\n"))
    await writer.drain()


@pytest.mark.parametrize("server", [quoting, echoing])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/?token=hunter2", {}),
        (f"/{TOKEN}", {}),
        ("/", {"headers": (("X-Api-Key", "hunter2"),)}),
        ("/", {"headers": (("Authorization", "Bearer hunter2"),)}),
        ("/", {"cookies": (("sid", "hunter2"),)}),
        ("/", {"subprotocols": ("json", f"bearer.{TOKEN}")}),
    ],
)
def test_a_server_that_quotes_the_request_makes_no_secret_known(
    server: Any, path: str, asked: dict[str, Any]
) -> None:
    async def body() -> None:
        async with served_tcp(server) as port:
            offered = asked.get("subprotocols", ())
            more = {name: value for name, value in asked.items() if name != "subprotocols"}
            error = await Client().failure(f"ws://127.0.0.1:{port}{path}", *offered, **more)
            assert "GET /" in error.detail, "it is quoted"
            assert "hunter" not in error.detail and TOKEN[:8] not in error.detail, error.detail

    run(body)


def test_nor_do_subprotocols_of_which_none_was_chosen() -> None:
    async def body() -> None:
        async with served() as port:
            error = await Client().failure(f"ws://127.0.0.1:{port}/", "v4", f"bearer.{TOKEN}")
            assert error.kind == "subprotocol"
            assert "v4, *** offered" in error.detail

    run(body)
