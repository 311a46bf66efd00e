"""What is known of a failure is told everywhere: to the user class, in the log, in the results, in Locust's table."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import pytest
from support.certificates import Certificates
from support.locust_run import LOCUSTFILES, Finished, processes
from support.serving import Serving
from websockets.asyncio.server import ServerConnection


def load(run_locust: Callable[..., Finished], url: str, *words: str, number: int = 1) -> Finished:
    return run_locust(
        *("-f", LOCUSTFILES / "told.py", "--headless", "-u", "2", "-r", "2", "-t", "2s", "--host", url),
        *(*words, *processes(number)),
    )


def assert_told(finished: Finished, failure: str, detail: str, hook: str, number: int = 1) -> None:
    """This detail of this failure is told in every place; in the log once in each process."""
    what, _, kind = failure.partition(": ")
    assert finished.summary["details"][failure] == detail
    assert f"{hook}: {kind}: {detail}\n" in finished.stdout
    log = [line for line in finished.stderr.splitlines() if f"{what} failed: {kind} ({detail})" in line]
    assert len(log) == number, finished.stderr
    assert f"WS {what}: {kind}: {detail}" in finished.stderr.replace('"', "'")
    assert detail in (finished.directory / "report.html").read_text("utf-8").replace("&#39;", "'")
    assert finished.failures[failure] > 1


def responding(response: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response.replace("\n", "\r\n").encode())
        await writer.drain()

    return handle


@pytest.mark.parametrize(
    ("response", "failure", "detail"),
    [
        (
            "HTTP/1.1 503 Service Unavailable\nRetry-After: 7\nContent-Length: 9\n\nfull\nhall",
            "open: bad status 503",
            "503 Service Unavailable; Retry-After: 7; body: full",
        ),
        (
            "HTTP/1.1 302 Found\nLocation: ftp://a.example/x?token=s3cret\nContent-Length: 0\n\n",
            "open: redirect",
            "status 302 to 'ftp://a.example/x', which is not a WebSocket URL",
        ),
        ("HTTP/1.1 101 Fine\n\n", "open: bad handshake", "missing Connection header"),
        (
            "",
            "open: hung up",
            "the server closed the connection without an answer; if it speaks TLS there, use wss://",
        ),
    ],
    ids=["status", "redirect", "handshake", "end"],
)
def test_of_an_opening(
    run_locust: Callable[..., Finished], serving: Serving, response: str, failure: str, detail: str
) -> None:
    url = f"ws://127.0.0.1:{serving.tcp(responding(response))}/"
    finished = load(run_locust, url)
    assert_told(finished, failure, f"{detail}; at {url}", "on_error")
    assert "s3cret" not in finished.stderr + finished.stdout


def test_of_what_a_redirect_led_to(run_locust: Callable[..., Finished], serving: Serving) -> None:
    there = serving.tcp(responding("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n"))
    here = serving.tcp(
        responding(
            f"HTTP/1.1 307 Moved\nLocation: http://127.0.0.1:{there}/log-in?s3cret\nContent-Length: 0\n\n"
        )
    )
    finished = load(run_locust, f"ws://127.0.0.1:{here}", number=2)
    detail = f"404 Not Found; after 1 redirect, to ws://127.0.0.1:{there}/log-in"
    assert_told(finished, "open: bad status 404", detail, "on_error", 2)


def test_of_a_certificate(
    run_locust: Callable[..., Finished], serving: Serving, certificates: Certificates
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    finished = load(run_locust, f"wss://127.0.0.1:{serving.tcp(responding(''), tls=context)}")
    (detail,) = [detail for failure, detail in finished.summary["details"].items() if failure == "open: tls"]
    assert "unable to get local issuer certificate" in detail
    assert_told(finished, "open: tls", detail, "on_error")


async def closing(connection: ServerConnection) -> None:
    async for _ in connection:
        await connection.close(4001, "too many")


async def dropping(connection: ServerConnection) -> None:
    async for _ in connection:
        connection.transport.close()


async def masking(connection: ServerConnection) -> None:
    async for _ in connection:
        connection.transport.write(b"\x81\x82....??")


@pytest.mark.parametrize(
    ("handler", "kind", "detail"),
    [
        (closing, "closed 4001", "the server closed with 4001: too many"),
        (dropping, "closed 1006", "FIN without a close frame"),
        (masking, "masked frame", "wsload closed with 1002: a server must not mask (RFC 6455 section 5.1)"),
    ],
)
def test_of_an_open_connection(
    run_locust: Callable[..., Finished],
    serving: Serving,
    handler: Callable[[ServerConnection], object],
    kind: str,
    detail: str,
) -> None:
    port = serving.websocket(handler)
    finished = load(run_locust, f"ws://127.0.0.1:{port}")
    for what in ("message", "close"):
        assert_told(finished, f"{what}: {kind}", detail, "raised")
