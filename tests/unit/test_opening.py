"""Opening against real servers on this machine: its phases, and what is agreed."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from opening_client import Client, responding, run, served, served_tcp
from support.certificates import Certificates
from support.serving import TcpHandler
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.http11 import Request

from wsload.errors import OpenError, UsageError
from wsload.load.ws.request import request_headers
from wsload.measure.names import LAGGED, UNLAGGED

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


def test_an_opening_that_the_load_generator_began_late_is_marked() -> None:
    async def body() -> None:
        async with served() as port:
            client = Client()
            connection = await client.open(
                f"ws://127.0.0.1:{port}/",
                intended_ns=time.monotonic_ns() - 5_000_000_000,
                lag_ns=5_000_000_000,
            )
            found = client.interval().histograms
            assert found["open" + LAGGED].min_ns >= 4_990_000_000
            assert found["open" + UNLAGGED].max_ns < 4_000_000_000
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


def test_an_opening_adds_to_the_headers_of_all_and_replaces_those_of_its_names() -> None:
    defaults = (("X-One", "1"), ("X-Two", "2"), ("x-two", "2 again"), ("Cookie", "a=b; c=d"))
    merged = request_headers(defaults, [("X-TWO", "3"), ("X-Four", "4")], [("c", "e"), ("f", "g")])
    assert sorted(merged.raw_items()) == [
        ("Cookie", "a=b; c=e; f=g"),
        ("X-Four", "4"),
        ("X-One", "1"),
        ("X-TWO", "3"),
    ]
    assert not list(request_headers((), (), ()).raw_items())


@pytest.mark.parametrize(
    ("headers", "cookies"),
    [
        ([("Host", "other")], ()),
        ([("Sec-WebSocket-Key", "x")], ()),
        ([("X-One", "1\r\nX-Two: 2")], ()),
        ([("X One", "1")], ()),
        ([("", "1")], ()),
        ([("X-One", "é")], ()),
        ((), [("a", "b;c=d")]),
        ((), [("a=", "b")]),
        ((), [("", "b")]),
        ((), [("a", "b\n")]),
    ],
)
def test_what_is_no_header_or_cookie_is_refused(headers: Any, cookies: Any) -> None:
    with pytest.raises(UsageError) as refused:
        request_headers((), headers, cookies)
    assert "\n" not in str(refused.value)


def test_each_opening_has_its_own_identity() -> None:
    seen: list[Request] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    async def body() -> None:
        async with served(note) as port:
            client = Client(headers=(("Authorization", "Bearer all"),), origin="https://page.example")
            for asked in (
                {},
                {"headers": [("Authorization", "Bearer one"), ("Origin", "https://one.example")]},
                {"cookies": [("sid", "1")], "connect_to": f"127.0.0.1:{port}"},
            ):
                host = "nowhere.invalid:1" if "connect_to" in asked else f"127.0.0.1:{port}"
                connection = await client.open(f"ws://{host}/", **asked)
                await connection.wait_closed()
        shown = [
            [request.headers.get(name) for name in ("Authorization", "Origin", "Cookie")] for request in seen
        ]
        assert shown == [
            ["Bearer all", "https://page.example", None],
            ["Bearer one", "https://one.example", None],
            ["Bearer all", "https://page.example", "sid=1"],
        ]
        assert seen[2].headers["Host"] == "nowhere.invalid:1"

    run(body)


def test_a_server_is_verified_by_the_name_given(certificates: Certificates) -> None:
    async def body() -> None:
        async with served(ssl=certificates.server_context()) as port:
            client = Client(tls=ssl.create_default_context(cafile=str(certificates.authority)))
            asked = {"connect_to": f"127.0.0.1:{port}"}
            connection = await client.open("wss://nobody.invalid/", server_name="localhost", **asked)
            await connection.close()
            with pytest.raises(OpenError, match="tls"):
                await client.open("wss://nobody.invalid/", **asked)

    run(body)


def test_a_unix_socket_is_opened(tmp_path: Path) -> None:
    seen: list[Request] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    async def body() -> None:
        async with unix_serve(note, str(tmp_path / "chat.sock")):
            client = Client(source_ips=("127.0.0.2",))
            connection = await client.open(f"ws+unix://{tmp_path}/chat.sock:/room?x=1")
            await connection.wait_closed()
            assert client.interval().histograms.keys() == {"open", "open.tcp", "open.upgrade"}
        assert (seen[0].path, seen[0].headers["Host"]) == ("/room?x=1", "localhost")
        assert await Client().fails(f"ws+unix://{tmp_path}/none.sock:/") == "no socket"

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
            client = Client(compression=compression)
            connection = await client.open(f"ws://127.0.0.1:{port}/")
            connection.send_now(b"x" * 5000, text=True)
            assert (client.recorder.count.bytes_out < 100) == compression
            received: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()

            class Sink:
                def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
                    received.put_nowait((data, text))

                def receive_close(self, code: int, reason: str) -> None:
                    pass

            connection.attach(Sink())
            assert await received.get() == (b"x" * 5000, True)
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


def redirecting(location: str) -> TcpHandler:
    return responding(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("form", ["ws://127.0.0.1:{port}/new", "http://127.0.0.1:{port}/new"])
def test_a_redirect_is_followed_and_timed(form: str) -> None:
    seen: list[str] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.path)

    async def body() -> None:
        async with served(note) as port, served_tcp(redirecting(form.format(port=port))) as old:
            client = Client()
            connection = await client.open(f"ws://127.0.0.1:{old}/")
            await connection.wait_closed()
            interval = client.interval()
            assert interval.counters["opens"] == 1
            counts = {metric: found.total for metric, found in interval.histograms.items()}
            assert counts == {"open": 1, "open.tcp": 2, "open.redirect": 1, "open.upgrade": 1}
        assert seen == ["/new"]

    run(body)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_was_meant_for_one_host_does_not_go_to_another(elsewhere: bool) -> None:
    seen: list[Request] = []

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request)

    async def first(connection: ServerConnection, request: Request) -> Any:
        if request.path != "/":
            return None
        response = connection.respond(302, "")
        response.headers["Location"] = target
        return response

    target = "/new"

    async def body() -> None:
        nonlocal target
        async with served(note, process_request=first) as port, served(note) as other:
            if elsewhere:
                target = f"ws://127.0.0.1:{other}/new"
            client = Client(
                headers=(("X-Api-Key", "s3cret"), ("Cookie", "a=s3cret"), ("Authorization", "s3cret")),
                origin="https://page.example",
                connect_to=f"127.0.0.1:{port}",
            )
            connection = await client.open("ws://nowhere.invalid:1/", cookies=[("sid", "s3cret")])
            await connection.wait_closed()
        (request,) = seen
        assert request.path == "/new" and request.headers["Origin"] == "https://page.example"
        assert ("s3cret" in str(dict(request.headers.raw_items()))) is not elsewhere
        assert ("X-Api-Key" in request.headers) is not elsewhere

    run(body)


def test_a_redirect_to_tls_is_verified_as_the_run_verifies(certificates: Certificates) -> None:
    async def body() -> None:
        async with AsyncExitStack() as servers:
            port = await servers.enter_async_context(served(ssl=certificates.server_context()))
            old = await servers.enter_async_context(served_tcp(redirecting(f"wss://localhost:{port}/")))
            trusting = ssl.create_default_context(cafile=str(certificates.authority))
            connection = await Client(tls=trusting).open(f"ws://127.0.0.1:{old}/")
            await connection.close()
            assert await Client().fails(f"ws://127.0.0.1:{old}/") == "tls"

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
