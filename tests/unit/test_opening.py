"""Opening against real servers on this machine: the phases, what is agreed, and how each failure is named."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvloop
from support import hostile
from support.certificates import Certificates
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request

from wsload.engine.connection import TimedConnection
from wsload.engine.failures import failure_kind
from wsload.engine.opening import Opener, OpenOptions
from wsload.errors import OpenError
from wsload.measure.interval import Interval
from wsload.measure.recorder import Recorder

Phases = dict[str, int]


class Client:
    """An opener with its recorder."""

    def __init__(self, **options: Any) -> None:
        self.recorder = Recorder()
        self.logged: list[str] = []
        self.opener = Opener(OpenOptions(on_log=self.logged.append, **options), self.recorder)

    async def open(self, url: str, *subprotocols: str, intended_ns: int | None = None) -> TimedConnection:
        return await self.opener.open(
            url,
            subprotocols=subprotocols,
            intended_ns=time.monotonic_ns() if intended_ns is None else intended_ns,
        )

    async def fails(self, url: str, *subprotocols: str) -> str:
        """Fails to open, as it should; the kind, once it is sure that it was counted."""
        with pytest.raises(OpenError) as caught:
            await self.open(url, *subprotocols)
        interval = self.interval()
        assert interval.failures == {("open", caught.value.kind): 1}
        assert interval.counters["open_failures"] == 1 and "opens" not in interval.counters
        assert "open" not in interval.histograms
        assert "\n" not in str(caught.value)
        return caught.value.kind

    def interval(self) -> Interval:
        return self.recorder.freeze(start_s=0, length_s=1, gauges={}).interval()


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await body()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def wait_closed(connection: ServerConnection) -> None:
    await connection.wait_closed()


@asynccontextmanager
async def served(
    handler: Callable[[ServerConnection], Awaitable[None]] = wait_closed, **settings: Any
) -> AsyncIterator[int]:
    """A WebSocket server's port."""
    async with serve(handler, "127.0.0.1", 0, **settings) as server:
        yield int(next(iter(server.sockets)).getsockname()[1])


@asynccontextmanager
async def served_tcp(handler: hostile.TcpHandler, **settings: Any) -> AsyncIterator[int]:
    """A TCP server's port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **settings)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


# What goes right


def test_the_phases_of_an_address_without_tls() -> None:
    async def body() -> None:
        async with served() as port:
            client = Client()
            connection = await client.open(f"ws://127.0.0.1:{port}/")
            counts = {metric: found.total for metric, found in client.interval().histograms.items()}
            assert counts == {"open": 1, "open.tcp": 1, "open.upgrade": 1}
            await connection.close()

    run(body)


def test_the_phases_of_a_name_with_tls(certificates: Certificates) -> None:
    async def body() -> None:
        async with served(ssl=certificates.server_context()) as port:
            client = Client(tls=ssl.create_default_context(cafile=str(certificates.authority)))
            connection = await client.open(f"wss://localhost:{port}/")
            interval = client.interval()
            assert {metric: found.total for metric, found in interval.histograms.items()} == {
                "open": 1,
                "open.dns": 1,
                "open.tcp": 1,
                "open.tls": 1,
                "open.upgrade": 1,
            }
            parts = sum(found.min_ns for metric, found in interval.histograms.items() if metric != "open")
            assert interval.histograms["open"].max_ns >= parts
            assert interval.counters["opens"] == 1
            await connection.close()

    run(body)


def test_opening_counts_from_the_intended_time() -> None:
    async def body() -> None:
        async with served() as port:
            client = Client()
            connection = await client.open(
                f"ws://127.0.0.1:{port}/", intended_ns=time.monotonic_ns() - 5_000_000_000
            )
            assert client.interval().histograms["open"].min_ns >= 4_990_000_000
            await connection.close()

    run(body)


def test_the_request_carries_what_was_asked_for() -> None:
    seen: list[Request] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    async def body() -> None:
        async with served(note) as port:
            client = Client(headers=(("X-One", "1"), ("Cookie", "a=b")), origin="https://page.example")
            connection = await client.open(f"ws://me:secret@127.0.0.1:{port}/room?key=1")
            await connection.wait_closed()
        headers = seen[0].headers
        assert seen[0].path == "/room?key=1"
        assert (headers["X-One"], headers["Cookie"], headers["Origin"]) == (
            "1",
            "a=b",
            "https://page.example",
        )
        assert headers["Authorization"].startswith("Basic ")
        assert "Sec-WebSocket-Extensions" not in headers
        assert "Sec-WebSocket-Protocol" not in headers

    run(body)


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [(["json"], ["json"], "json"), (["v2", "json"], ["json", "v2"], "json"), ([], ["json"], None)],
)
def test_a_subprotocol_is_agreed(offered: list[str], known: list[Any], chosen: str | None) -> None:
    async def body() -> None:
        def select(connection: ServerConnection, subprotocols: Any) -> Any:
            assert list(subprotocols) == offered
            return next((name for name in known if name in subprotocols), None)

        async with served(subprotocols=known, select_subprotocol=select) as port:
            connection = await Client().open(f"ws://127.0.0.1:{port}/", *offered)
            assert connection.subprotocol == chosen
            await connection.close()

    run(body)


@pytest.mark.parametrize("compression", [False, True])
def test_messages_go_both_ways_with_and_without_compression(compression: bool) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def body() -> None:
        async with served(echo, compression="deflate") as port:
            connection = await Client(compression=compression).open(f"ws://127.0.0.1:{port}/")
            assert bool(connection.protocol.extensions) == compression
            received: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()

            class Sink:
                def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
                    received.put_nowait((data, text))

                def receive_close(self, code: int, reason: str) -> None:
                    pass

            connection.attach(Sink())
            for sent in ((b"x" * 5000, True), (b"\x00\xff", False), (b"", True)):
                connection.send_now(sent[0], text=sent[1])
                assert await received.get() == sent
            await connection.close()

    run(body)


def test_source_addresses_take_turns() -> None:
    seen: list[str] = []

    async def note(connection: ServerConnection) -> None:
        seen.append(connection.remote_address[0])

    async def body() -> None:
        async with served(note) as port:
            client = Client(source_ips=("127.0.0.2", "127.0.0.3"))
            for _ in range(3):
                connection = await client.open(f"ws://127.0.0.1:{port}/")
                await connection.wait_closed()
        assert seen == ["127.0.0.2", "127.0.0.3", "127.0.0.2"]

    run(body)


def test_a_redirect_is_followed() -> None:
    async def body() -> None:
        async with served() as port:

            def redirect(location: str) -> hostile.TcpHandler:
                return hostile._responding(
                    f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
                )

            async with served_tcp(redirect(f"ws://127.0.0.1:{port}/new")) as old:
                client = Client()
                connection = await client.open(f"ws://127.0.0.1:{old}/")
                assert connection.request is not None and connection.request.path == "/new"
                assert client.interval().counters["opens"] == 1
                await connection.close()

    run(body)


def test_a_proxy_is_used_when_asked_for_and_only_then() -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        host, port = asked[-1].split()[1].decode().split(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(4096):
                target.write(data)
            target.close()

        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def body() -> None:
        async with served() as port, served_tcp(proxy) as proxy_port:
            connection = await Client(proxy=f"http://127.0.0.1:{proxy_port}").open(f"ws://127.0.0.1:{port}/")
            await connection.close()
            connection = await Client().open(f"ws://127.0.0.1:{port}/")
            await connection.close()
            assert [request.split(b"\r\n")[0] for request in asked] == [
                f"CONNECT 127.0.0.1:{port} HTTP/1.1".encode()
            ]

    run(body)


# What goes wrong

HTTP = {
    "200": (hostile.status(200), "bad status 200"),
    "404": (hostile.status(404), "bad status 404"),
    "503": (hostile.status(503), "bad status 503"),
    "garbage": (hostile.raw_garbage, "bad handshake"),
    "wrong accept": (hostile.wrong_accept, "bad handshake"),
    "endless headers": (hostile.endless_headers, "bad handshake"),
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
            before = len(os.listdir("/dev/fd"))
            for _ in range(3):
                assert await Client().fails(f"wss://127.0.0.1:{port}/") == "tls"
                assert await Client(tls=trusting).fails(f"wss://127.0.0.2:{port}/") in ("tls", "refused")
                assert await Client(tls=trusting).fails(f"wss://127.0.0.1:{plain_port}/") == "tls"
                assert await Client().fails(f"ws://127.0.0.1:{port}/") in ("bad handshake", "reset")
            async with asyncio.timeout(20):
                while len(os.listdir("/dev/fd")) > before:
                    await asyncio.sleep(0.01)

    run(body)


@pytest.mark.parametrize("hops", ["in circles", "to plain ws"])
def test_redirects_that_are_not_followed_are_named(hops: str, certificates: Certificates) -> None:
    async def body() -> None:
        tls = certificates.server_context() if hops == "to plain ws" else None
        location = "ws://127.0.0.1:1/" if tls else "/again"
        handler = hostile._responding(
            f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
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
