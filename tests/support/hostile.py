"""Servers that get the chat wrong, one way each: handlers for `Serving`.

Those of plain TCP never come to an open connection; those of WebSocket open it as they should and
then go wrong at the id, at the login, or at a post.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from support import autobahn
from support.serving import TcpHandler, WebSocketHandler

# Instead of an opening handshake


def status(code: int) -> TcpHandler:
    """Answers the request, but not with 101."""
    return _responding(f"HTTP/1.1 {code} Whatever\r\nContent-Length: 5\r\n\r\nhello".encode())


def _responding(response: bytes) -> TcpHandler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()

    return handle


raw_garbage = _responding(b"\x00\xff\x17 220 smtp.example ESMTP ready\r\n\r\n")
"""Speaks, but not HTTP."""

wrong_accept = _responding(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: json\r\n\r\n"
)
"""Upgrades without having read the request's key, as a cache would."""

cut_response = _responding(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso")
"""Hangs up in the middle of its response."""


async def endless_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never comes to the end of its response's headers."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    while True:
        writer.write(b"X-More: and more\r\n" * 100)
        await writer.drain()


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuses, and goes on and on about it."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"\x00" * 1000)
        await writer.drain()


async def no_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuses, announces why, and leaves it at that."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n")
    await reader.read(-1)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes the connection without a word."""
    await reader.readuntil(b"\r\n\r\n")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and says nothing for as long as anybody waits."""
    await reader.read(-1)


# Instead of a login


async def never_id(connection: ServerConnection) -> None:
    """Waits for the client to speak first, which the client never will."""
    await connection.wait_closed()


async def never_confirms(connection: ServerConnection) -> None:
    """Takes the login, and leaves it at that."""
    await connection.send(_message("id", id=1))
    await connection.wait_closed()


async def closes_at_once(connection: ServerConnection) -> None:
    """Opens, and closes in the same breath."""
    await connection.close(1013, "come back later")


async def aborts_at_once(connection: ServerConnection) -> None:
    """Opens, and drops the TCP connection."""
    connection.transport.abort()


async def wrong_id(connection: ServerConnection) -> None:
    """Gives an id that is none."""
    await connection.send(_message("id", id=[1]))
    await connection.wait_closed()


# Instead of an echo

OnPost = Callable[[ServerConnection, str], Awaitable[None]]
"""Answers a post, given the echo it ought to get."""


def chat(on_post: OnPost, *, on_login: OnPost | None = None) -> WebSocketHandler:
    """A room for one that logs in as it should, and then answers each post like this."""

    async def handle(connection: ServerConnection) -> None:
        await connection.send(_message("id", id=1))
        async for data in connection:
            message = json.loads(data)
            if message["type"] == "username":
                await connection.send(_message("userlist", users=[message["name"]]))
                await connection.send(data)
                if on_login is not None:
                    await on_login(connection, message["name"])
            elif message["type"] == "message":
                await on_post(connection, json.dumps({**message, "name": "me"}))

    async def until_closed(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await handle(connection)

    return until_closed


async def echo(connection: ServerConnection, echo: str) -> None:
    """As it should be."""
    await connection.send(echo)


async def twice(connection: ServerConnection, echo: str) -> None:
    """Sends each echo twice."""
    await connection.send(echo)
    await connection.send(echo)


async def ignore(connection: ServerConnection, echo: str) -> None:
    """Never answers."""


async def drop(connection: ServerConnection, _: str) -> None:
    """Drops the connection."""
    connection.transport.abort()


def close_frame(code: int) -> bytes:
    """A close frame with this code, whatever it is."""
    return Frame(Opcode.CLOSE, code.to_bytes(2, "big") + b"as it is").serialize(mask=False)


def besides(*messages: str | bytes) -> OnPost:
    """Sends these before the echo."""

    async def on_post(connection: ServerConnection, echo: str) -> None:
        for message in messages:
            await connection.send(message)
        await connection.send(echo)

    return on_post


def raw(data: bytes) -> OnPost:
    """Writes these bytes, which need be no frame, before the echo."""

    async def on_post(connection: ServerConnection, echo: str) -> None:
        connection.transport.write(data)
        await connection.send(echo)

    return on_post


def stubborn(data: bytes) -> OnPost:
    """Writes these bytes, and from then on neither reads nor closes."""

    async def on_post(connection: ServerConnection, echo: str) -> None:
        connection.transport.pause_reading()
        connection.transport.write(data)

    return on_post


async def fragmented(connection: ServerConnection, echo: str) -> None:
    """Cuts the echo into frames of three bytes, with a ping between them and one frame empty."""
    data = echo.encode()
    pieces = [data[start : start + 3] for start in range(0, len(data), 3)] + [b""]
    for place, piece in enumerate(pieces):
        opcode = Opcode.CONT if place else Opcode.TEXT
        last = place == len(pieces) - 1
        connection.transport.write(Frame(opcode, piece, fin=last).serialize(mask=False))
        if place == len(pieces) // 2:
            connection.transport.write(Frame(Opcode.PING, b"still there?").serialize(mask=False))


async def dribbled(connection: ServerConnection, echo: str) -> None:
    """Sends the echo's frame byte by byte, each in a TCP segment of its own."""
    for byte in Frame(Opcode.TEXT, echo.encode()).serialize(mask=False):
        connection.transport.write(bytes([byte]))
        await asyncio.sleep(0)


NOT_CHAT = (
    "{this is no JSON",
    "",
    "null",
    "[1, 2, 3]",
    '"a string"',
    "{}",
    '{"type": 7}',
    '{"type": null, "text": "x"}',
    '{"type": "id"}',
    '{"type": "rejectusername", "id": 1, "name": {}}',
    "[" * 50_000,
)
"""Text that is no message of any chat like this one."""

UNKNOWN = (
    '{"type": "weather", "sky": "blue"}',
    '{"type": "", "text": ""}',
    '{"type": "' + "x" * 10_000 + '"}',
    '{"type": "id", "id": 2}',
    '{"type": "typing", "name": "\\u0000\\n<script>alert(1)</script>"}',
)
"""Messages that a chat like this one might have: to be tolerated."""

INVALID_UTF8 = Frame(Opcode.TEXT, b'{"type": "message", "text": "\xff\xfe"}').serialize(mask=False)
INVALID_UTF8_CUT = Frame(Opcode.TEXT, b'{"text": "\xc3', fin=False).serialize(mask=False) + Frame(
    Opcode.CONT, b'("}'
).serialize(mask=False)
"""The same, with the border of two fragments in the middle of a character that is none."""
MASKED = Frame(Opcode.TEXT, b'{"type": "weather"}').serialize(mask=True)
RESERVED_OPCODE = b"\x83\x01x"
RESERVED_BIT = b"\xc1\x01x"
LONE_CONTINUATION = b"\x80\x01x"
LONG_PING = b"\x89\x7e\x00\x80" + b"x" * 128
TERABYTE = b"\x81\x7f\x00\x00\x01\x00\x00\x00\x00\x00" + b"x" * 100
"""The head of a frame of 1 TiB, and its first bytes."""


def huge(size: int) -> OnPost:
    """Sends a message of this many bytes in one frame."""
    return besides("x" * size)


def huge_in_pieces(size: int) -> OnPost:
    """Sends a message of this many bytes in fragments of 1 KiB."""

    async def on_post(connection: ServerConnection, echo: str) -> None:
        await connection.send(["x" * 1024] * (size // 1024 + 1))

    return on_post


def _message(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


# Servers that are out for harm: upgraded, they send without end


def flooding(first: bytes, over_and_over: bytes, *, deflate: bool = False) -> TcpHandler:
    """Upgrades the connection, and sends these frames without end and without reading."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await autobahn.upgrade(reader, writer, "" if deflate else None)
        writer.write(first)
        while True:
            writer.write(over_and_over)
            await writer.drain()

    return handle


def bomb(size: int) -> bytes:
    """A binary frame of so many zeros, deflated a thousand-fold."""
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(bytes(size)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return autobahn.frame(autobahn.BINARY, data[:-4], rsv=4)


endless_fragments = flooding(
    autobahn.frame(autobahn.TEXT, fin=False), autobahn.frame(autobahn.CONT, fin=False) * 10_000
)
bombs = flooding(b"", bomb(1 << 20) * 20, deflate=True)
pings = flooding(b"", autobahn.frame(autobahn.PING, b"x" * 100) * 500)
