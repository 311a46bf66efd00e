"""A server that says what the Autobahn testsuite's fuzzing server says, and judges by its rules.

The classes and their numbers are those of the testsuite (1 framing, 2 pings, 3 reserved bits, 4 opcodes,
5 fragmentation, 6 UTF-8, 7 closing, 9 limits, 10 auto-fragmentation, 12 and 13 compression); the cases are
written anew. The client under test sends every message back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
WAIT_S = 2.0

Heard = tuple[int, bytes]
"""A frame's opcode and payload."""


class Verdict(IntEnum):
    """Autobahn's, the better the higher."""

    FAILED = 0
    NON_STRICT = 1
    OK = 2


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the server says, and what it wants to hear."""

    says: tuple[bytes, ...]
    """Written one after the other, each in a TCP segment of its own."""
    hears: tuple[Heard, ...] = ()
    """Messages sent back, and pongs."""
    close: frozenset[int] = frozenset({1000})
    """The client's close code: in answer to the server's 1000, or because it fails the connection."""
    strict: int | None = None
    """After so many of ``says`` the client must have failed the connection; later is NON-STRICT."""
    deflate: str | None = None
    """Parameters of permessage-deflate, if that is offered and agreed on."""


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame as servers send it, right or wrong."""
    length = len(payload)
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if length < 126:
        return head + bytes([length]) + payload
    if length < 1 << 16:
        return head + b"\x7e" + length.to_bytes(2, "big") + payload
    return head + b"\x7f" + length.to_bytes(8, "big") + payload


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def octets(data: bytes) -> tuple[bytes, ...]:
    """Byte by byte."""
    return tuple(data[at : at + 1] for at in range(len(data)))


def echoed(*messages: Heard) -> tuple[Heard, ...]:
    return messages


FAIL = frozenset({1002})
BAD_TEXT = frozenset({1007})
HELLO = frame(TEXT, b"Hello")


def cases() -> dict[str, Case]:
    """All cases by their numbers."""
    return {
        **_framing(),
        **_pings(),
        **_reserved(),
        **_fragments(),
        **_utf8(),
        **_closing(),
        **_limits(),
        **_deflate(),
    }


def _framing() -> dict[str, Case]:
    found = {}
    for kind, name in ((TEXT, "1.1"), (BINARY, "1.2")):
        for number, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
            payload = (b"*" if kind == TEXT else b"\xfe") * size
            found[f"{name}.{number}"] = Case(says=(frame(kind, payload),), hears=((kind, payload),))
        whole = frame(kind, payload)
        chops = tuple(whole[at : at + 997] for at in range(0, len(whole), 997))
        found[f"{name}.8"] = Case(says=chops, hears=((kind, payload),))
    return found


def _pings() -> dict[str, Case]:
    binary = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
    ten = [b"payload-%d" % number for number in range(10)]
    pings = b"".join(frame(PING, payload) for payload in ten)
    pongs = tuple((PONG, payload) for payload in ten)
    return {
        "2.1": Case(says=(frame(PING),), hears=((PONG, b""),)),
        "2.2": Case(says=(frame(PING, b"Hello, world!"),), hears=((PONG, b"Hello, world!"),)),
        "2.3": Case(says=(frame(PING, binary),), hears=((PONG, binary),)),
        "2.4": Case(says=(frame(PING, b"\xfe" * 125),), hears=((PONG, b"\xfe" * 125),)),
        "2.5": Case(says=(frame(PING, b"\xfe" * 126),), close=FAIL),
        "2.6": Case(says=octets(frame(PING, b"\xfe" * 125)), hears=((PONG, b"\xfe" * 125),)),
        "2.7": Case(says=(frame(PONG),)),
        "2.8": Case(says=(frame(PONG, b"unsolicited pong payload"),)),
        "2.9": Case(says=(frame(PONG, b"unsolicited"), frame(PING, b"ping")), hears=((PONG, b"ping"),)),
        "2.10": Case(says=(pings,), hears=pongs),
        "2.11": Case(says=octets(pings), hears=pongs),
    }


def _reserved() -> dict[str, Case]:
    hello, hears = HELLO, ((TEXT, b"Hello"),)
    bad = {2: frame(TEXT, b"Hello", rsv=2), 3: frame(TEXT, b"Hello", rsv=3), 4: frame(TEXT, b"Hello", rsv=4)}
    ping = frame(PING)
    found = {
        "3.1": Case(says=(frame(TEXT, b"Hello", rsv=1),), close=FAIL),
        "3.2": Case(says=(hello + bad[2] + ping,), hears=hears, close=FAIL),
        "3.3": Case(says=(hello, bad[3], ping), hears=hears, close=FAIL),
        "3.4": Case(says=octets(hello + bad[4] + ping), hears=hears, close=FAIL),
        "3.5": Case(says=(frame(BINARY, b"\x00\xff", rsv=5),), close=FAIL),
        "3.6": Case(says=(frame(PING, b"Hello", rsv=6),), close=FAIL),
        "3.7": Case(says=(frame(CLOSE, b"\x03\xe8", rsv=7),), close=FAIL),
    }
    for group, opcodes in ((1, range(3, 8)), (2, range(11, 16))):
        for number, opcode in enumerate(opcodes, 1):
            strange = frame(opcode, b"x" if number > 1 else b"")
            says = (
                (strange,)
                if number < 3
                else (hello + strange + ping,)
                if number < 5
                else (hello, strange, ping)
            )
            found[f"4.{group}.{number}"] = Case(says=says, hears=() if number < 3 else hears, close=FAIL)
    return found


def _fragments() -> dict[str, Case]:
    one, two = frame(TEXT, b"fragment1", fin=False), frame(CONT, b"fragment2")
    whole, ping, pong = (TEXT, b"fragment1fragment2"), frame(PING, b"pongme"), (PONG, b"pongme")
    lone, lone_open = (
        frame(CONT, b"non-continuation payload"),
        frame(CONT, b"non-continuation payload", fin=False),
    )
    hello = ((TEXT, b"Hello, world!"),)
    greeting = frame(TEXT, b"Hello, world!")
    middle, last = frame(CONT, b"fragment2", fin=False), frame(CONT, b"fragment5")
    pieces = (
        one,
        middle,
        ping,
        frame(CONT, b"fragment3", fin=False),
        frame(CONT, b"fragment4", fin=False),
        ping,
        last,
    )
    five = ((PONG, b"pongme"), (PONG, b"pongme"), (TEXT, b"fragment1fragment2fragment3fragment4fragment5"))
    return {
        "5.1": Case(says=(frame(PING, b"fragment1", fin=False), two), close=FAIL),
        "5.2": Case(says=(frame(PONG, b"fragment1", fin=False), two), close=FAIL),
        "5.3": Case(says=(one + two,), hears=(whole,)),
        "5.4": Case(says=(one, two), hears=(whole,)),
        "5.5": Case(says=octets(one + two), hears=(whole,)),
        "5.6": Case(says=(one + ping + two,), hears=(pong, whole)),
        "5.7": Case(says=(one, ping, two), hears=(pong, whole)),
        "5.8": Case(says=octets(one + ping + two), hears=(pong, whole)),
        "5.9": Case(says=(lone + greeting,), close=FAIL),
        "5.10": Case(says=(lone, greeting), close=FAIL),
        "5.11": Case(says=octets(lone + greeting), close=FAIL),
        "5.12": Case(says=(lone_open + greeting,), close=FAIL),
        "5.13": Case(says=(lone_open, greeting), close=FAIL),
        "5.14": Case(says=octets(lone_open + greeting), close=FAIL),
        "5.15": Case(says=(one + two + lone_open + greeting,), hears=(whole,), close=FAIL),
        "5.16": Case(says=(lone_open, one, two), close=FAIL),
        "5.17": Case(says=(lone, one, two), close=FAIL),
        "5.18": Case(says=(one, frame(TEXT, b"fragment2")), close=FAIL),
        "5.19": Case(says=(b"".join(pieces),), hears=five),
        "5.20": Case(says=pieces, hears=five),
        "5.x": Case(says=(greeting,), hears=hello),
    }


KOSME = "κόσμε".encode()
GOOD_TEXTS = (
    *("", "Hello-µ@ßöäüàá-UTF-8!!", "\x00", "\x7f", "\x80", "\u07ff", "\u0800", "\uffff", "\U00010000"),
    *("\U0010ffff", "\ud7ff", "\ue000", "\ufffd", "\ufeff"),
)
BAD_TEXTS = (
    *(KOSME + b"\xed\xa0\x80edited", KOSME + b"\xf4\x90\x80\x80edited", b"\x80", b"\xbf", b"\x80\xbf\x80"),
    *(b"\xc0 \xc1 ", b"\xe0 ", b"\xf0 ", b"\xf8 ", b"\xfc ", b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xdf"),
    *(
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfe",
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xc1\xbf",
        b"\xf0\x8f\xbf\xbf",
    ),
    *(b"\xed\xa0\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xa0\x80\xed\xb0\x80", b"\xf5\x80\x80\x80"),
)


def _utf8() -> dict[str, Case]:
    found = {
        "6.1.1": Case(says=(frame(TEXT),), hears=((TEXT, b""),)),
        "6.1.2": Case(says=_cut([b"", b"", b""]), hears=((TEXT, b""),)),
        "6.1.3": Case(says=_cut([b"", b"middle", b""]), hears=((TEXT, b"middle"),)),
        "6.4.1": Case(says=_cut([KOSME, b"\xf4\x90\x80\x80", b"edited"]), close=BAD_TEXT, strict=2),
        "6.4.2": Case(says=_cut([KOSME + b"\xf4", b"\x90", b"\x80\x80edited"]), close=BAD_TEXT, strict=2),
    }
    for number, text in enumerate(GOOD_TEXTS):
        data = text.encode()
        hears = ((TEXT, data),)
        found[f"6.2.{number}"] = Case(says=(frame(TEXT, data),), hears=hears)
        found[f"6.2.{number}a"] = Case(says=_cut([data[:1], data[1:]]), hears=hears)
        found[f"6.2.{number}b"] = Case(says=_cut(list(octets(data)) or [b""]), hears=hears)
    for number, data in enumerate(BAD_TEXTS):
        found[f"6.3.{number}"] = Case(says=(frame(TEXT, data),), close=BAD_TEXT)
        found[f"6.3.{number}a"] = Case(says=_cut(list(octets(data))), close=BAD_TEXT)
    return found


def _cut(parts: list[bytes]) -> tuple[bytes, ...]:
    last = len(parts) - 1
    return tuple(
        frame(TEXT if place == 0 else CONT, part, fin=place == last) for place, part in enumerate(parts)
    )


def _closing() -> dict[str, Case]:
    hello, big = ((TEXT, b"Hello"),), b"BAsd7&jh23" * 26_000
    one, two = frame(TEXT, b"fragment1", fin=False), frame(CONT, b"fragment2")
    found = {
        "7.1.1": Case(says=(HELLO, close(1000)), hears=hello),
        "7.1.2": Case(says=(close(1000) + close(1000),)),
        "7.1.3": Case(says=(close(1000), frame(PING))),
        "7.1.4": Case(says=(close(1000) + HELLO,)),
        "7.1.5": Case(says=(one + close(1000) + two,)),
        "7.1.6": Case(
            says=(frame(TEXT, big) + HELLO + close(1000) + frame(PING),), hears=((TEXT, big), *hello)
        ),
        "7.3.1": Case(says=(frame(CLOSE),), close=frozenset({1000, 1005})),
        "7.3.2": Case(says=(frame(CLOSE, b"a"),), close=FAIL),
        "7.3.3": Case(says=(close(1000),)),
        "7.3.4": Case(says=(close(1000, b"Hello World!"),)),
        "7.3.5": Case(says=(close(1000, b"*" * 123),)),
        "7.3.6": Case(says=(close(1000, b"*" * 124),), close=FAIL),
        "7.5.1": Case(says=(close(1000, KOSME + b"\xed\xa0\x80edited"),), close=BAD_TEXT),
    }
    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    bad = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)
    for number, code in enumerate(good, 1):
        found[f"7.7.{number}"] = Case(says=(close(code),), close=frozenset({code, 1000}))
    for number, code in enumerate(bad, 1):
        found[f"7.9.{number}"] = Case(says=(close(code),), close=FAIL)
    return found


def _limits() -> dict[str, Case]:
    found = {}
    for kind, group in ((TEXT, 1), (BINARY, 2)):
        for number, size in enumerate((1 << 16, 1 << 18, 1 << 20), 1):
            payload = b"*" * size
            found[f"9.{group}.{number}"] = Case(says=(frame(kind, payload),), hears=((kind, payload),))
        for number, piece in enumerate((64, 256, 1024, 4096, 16384, 65536), 1):
            parts = [payload[at : at + piece] for at in range(0, 1 << 18, piece)]
            whole = b"".join(_cut(parts)).replace(b"\x01", bytes([kind]), 1)
            found[f"9.{group + 2}.{number}"] = Case(says=(whole,), hears=((kind, payload[: 1 << 18]),))
        data = frame(kind, payload[: 1 << 18])
        for number, piece in enumerate((64, 512, 2048), 1):
            says = tuple(data[at : at + piece] for at in range(0, len(data), piece))
            found[f"9.{group + 4}.{number}"] = Case(says=says, hears=((kind, payload[: 1 << 18]),))
        hears = ((kind, b"*" * 64),) * 500
        found[f"9.{group + 6}.1"] = Case(says=(frame(kind, b"*" * 64) * 500,), hears=hears)
    parts = [b"*" * 1300] * 50 + [b"*" * 536]
    found["10.1.1"] = Case(says=_cut(parts), hears=((TEXT, b"*" * 65536),))
    return found


PARAMETERS = (
    "",
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits=9",
    "client_max_window_bits=9",
    "server_no_context_takeover; client_no_context_takeover; client_max_window_bits=12",
)


def _deflate() -> dict[str, Case]:
    found = {}
    for number, parameters in enumerate(PARAMETERS):
        options = dict.fromkeys(each.strip().split("=")[0] for each in parameters.split(";") if each)
        for size in (16, 1024, 100_000):
            texts = [_varied(start, size) for start in (1, 7)]
            messages = [Frame(Opcode.TEXT, data) for data in (*texts, texts[0])]
            encoder = _encoder(parameters)
            says = tuple(encoder(message) for message in messages)
            hears = tuple((TEXT, bytes(message.data)) for message in messages)
            name = f"{12 + bool(options)}.{number}.{size}"
            found[name] = Case(says=says, hears=hears, deflate=parameters)
        found[f"{name}p"] = Case(
            says=(HELLO, says[0]), hears=((TEXT, b"Hello"), hears[0]), deflate=parameters
        )
    found["12.9.1"] = Case(says=(frame(TEXT, b"\xff\xff\xff\xff", rsv=4),), close=FAIL, deflate="")
    found["12.9.2"] = Case(says=(frame(CONT, b"x", rsv=4),), close=FAIL, deflate="")
    found["12.9.3"] = Case(says=(frame(PING, b"x", rsv=4),), close=FAIL, deflate="")
    return found


def _varied(start: int, size: int) -> bytes:
    return b"".join(b"%d," % (value * value % 9973) for value in range(start, start + size))[:size]


def _encoder(parameters: str):  # type: ignore[no-untyped-def]
    extension = _server_extension(parameters)

    def encode(message: Frame) -> bytes:
        encoded = extension.encode(message)
        return frame(TEXT, bytes(encoded.data), rsv=4)

    return encode


def _server_extension(parameters: str):  # type: ignore[no-untyped-def]
    given: list[tuple[str, str | None]] = []
    for each in filter(None, (part.strip() for part in parameters.split(";"))):
        name, _, value = each.partition("=")
        given.append((name, value or None))
    factory = ServerPerMessageDeflateFactory()
    names = dict(given)
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover="server_no_context_takeover" in names,
        client_no_context_takeover="client_no_context_takeover" in names,
        server_max_window_bits=int(names.get("server_max_window_bits") or 0) or None,
        client_max_window_bits=int(names.get("client_max_window_bits") or 0) or None,
    )
    offered = [(name, value) for name, value in given if name != "client_max_window_bits"]
    _, extension = factory.process_request_params([*offered, ("client_max_window_bits", None)], [])  # type: ignore[list-item]
    return extension


# The server


async def upgrade(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    deflate: str | None = None,
    subprotocol: str = "",
) -> None:
    """Answers the opening handshake."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in request.split("\r\n"))
    }
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(headers['sec-websocket-key'])}\r\n"
    )
    if deflate is not None:
        assert "permessage-deflate" in headers.get("sec-websocket-extensions", "")
        answer += f"Sec-WebSocket-Extensions: permessage-deflate{'; ' if deflate else ''}{deflate}\r\n"
    if subprotocol:
        answer += f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    writer.write((answer + "\r\n").encode())
    await writer.drain()


async def judge(case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Verdict:
    """Plays the case with a client that connects now."""
    await upgrade(reader, writer, case.deflate)
    await asyncio.sleep(0.003)  # what comes in the same read as the answer may find nobody who echoes it
    heard: list[Heard] = []
    failed_after = 0
    listening = asyncio.ensure_future(_listen(reader, heard, _server_extension(case.deflate or "")))
    for number, said in enumerate(case.says, 1):
        writer.write(said)
        await writer.drain()
        if case.strict is not None:
            await asyncio.wait([listening], timeout=0.05)
            if listening.done() and not failed_after:
                failed_after = number
        elif len(case.says) < 100:
            await asyncio.sleep(0)
    fails = case.close in (FAIL, BAD_TEXT)
    if not fails and not any(said[-len(close(0)) :][:1] == b"\x88" for said in case.says):
        await _until(lambda: len(heard) >= len(case.hears) or listening.done())
        writer.write(close(1000))
    await asyncio.wait([listening], timeout=WAIT_S)
    code = listening.result() if listening.done() else None
    listening.cancel()
    writer.close()
    if tuple(heard) != case.hears or code not in case.close:
        return Verdict.FAILED
    return Verdict.NON_STRICT if case.strict is not None and failed_after > case.strict else Verdict.OK


async def _until(done) -> None:  # type: ignore[no-untyped-def]
    for _ in range(int(WAIT_S / 0.002)):
        if done():
            return
        await asyncio.sleep(0.002)


async def _listen(reader: asyncio.StreamReader, heard: list[Heard], extension) -> int | None:  # type: ignore[no-untyped-def]
    """Reads the client's frames until it closes; its close code, 1005 for none, or None for a mere FIN."""
    try:
        while True:
            first, second = await reader.readexactly(2)
            length = second & 127
            assert second & 128, "a client's frame must be masked"
            if length > 125:
                length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
            mask = await reader.readexactly(4)
            payload = await reader.readexactly(length)
            payload = (
                bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask), strict=False))
                if length < 4096
                else _unmask(payload, mask)
            )
            opcode = first & 15
            if first & 0x40:
                payload = bytes(extension.decode(Frame(Opcode(opcode), payload, rsv1=True)).data)
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big") if payload else 1005
            heard.append((opcode, payload))
    except asyncio.IncompleteReadError:
        return None


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def classes() -> Iterator[tuple[str, dict[str, Case]]]:
    """The cases by class."""
    ordered = sorted(cases().items(), key=lambda item: int(item[0].split(".")[0]))
    for number, group in itertools.groupby(ordered, key=lambda item: item[0].split(".")[0]):
        yield number, dict(group)
