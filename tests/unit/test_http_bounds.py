"""HTTP answers are read whole, and no further than their bound, however they come."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator

import pytest
from test_http import one_task
from world import World, world

from wsload import HttpError

httpx2 = pytest.importorskip("httpx2")

PART = b"%x\r\n%s\r\n" % (1 << 16, b"x" * (1 << 16))
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b"\0" * (8 << 20))
"""8 KiB that become 8 MiB."""
ENDLESS = {
    "body": b"HTTP/1.1 200 OK\r\n" + CHUNKED,
    "body of a failure": b"HTTP/1.1 500 Broken\r\n" + CHUNKED,
    "body of a redirect": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n" + CHUNKED,
}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("wsload.load.users.http_bounds.MAX_BYTES", 1 << 20)
    with world(ws_message_timeout="20s") as made:
        made.serve()
        yield made


class Sending:
    """A server that answers every request with these bytes; and with ``then`` until the client goes."""

    def __init__(self, here: World, answer: bytes, then: bytes = b"") -> None:
        self.sent = 0
        self._answer = answer
        self._then = then
        here.run(self._start(here))

    async def _start(self, here: World) -> None:
        server = await here._stack.enter_async_context(
            await asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(self._answer)
                while self._then:
                    writer.write(self._then)
                    self.sent += len(self._then)
                    await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@pytest.mark.parametrize("what", ENDLESS)
def test_an_endless_answer_is_a_failure_and_not_read_on(here: World, what: str) -> None:
    server = Sending(here, ENDLESS[what], PART)
    user = here.live(one_task(lambda user: user.http.get(server.url)))
    assert isinstance(user.found, HttpError)
    assert here.failures() == {"GET /: too large": 1}
    assert server.sent < 64 << 20  # what had been on its way


def test_what_grows_beyond_the_bound_when_it_is_decompressed_is_a_failure(here: World) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    server = Sending(here, head.encode() + BOMB)
    here.live(one_task(lambda user: user.http.get(server.url)))
    assert here.failures() == {"GET /: too large": 1}


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_an_answer_is_read_as_it_was_meant(here: World, coding: str) -> None:
    text = json.dumps({"greeting": "héllo"}).encode()
    body = gzip.compress(text) if coding == "gzip" else text
    fields = (f"Content-Encoding: {coding}", f"Content-Length: {len(body)}", "X-Key: k", "Set-Cookie: a=b")
    head = "\r\n".join(("HTTP/1.1 201 Made", *fields, "", ""))
    server = Sending(here, head.encode() + body)
    user = here.live(one_task(lambda user: user.http.get(server.url)))
    assert user.found.json() == {"greeting": "héllo"}
    assert (user.found.status_code, user.found.reason_phrase) == (201, "Made")
    assert user.found.headers["x-key"] == "k"
    assert user.found.url == server.url
    assert user.http.cookies == {"a": "b"}
    assert user.found.elapsed.total_seconds() >= 0


def test_an_answer_without_a_body_tells_how_long_it_would_be(here: World) -> None:
    server = Sending(here, b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
    user = here.live(one_task(lambda user: user.http.request("HEAD", server.url)))
    assert user.found.headers["content-length"] == "12345"
    assert user.found.content == b""
