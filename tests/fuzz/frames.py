"""Frames: legal and illegal streams, cut anywhere, read by wsload's readers and by a parser written from the RFC."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from support.rfc6455 import Understood, understand

from wsload.load.ws.frames import CLOSE, PING
from wsload.load.ws.reader import Reader, parse_close
from wsload.load.ws.rules import Violation
from wsload.protocols.chat.probe import frames as probe

LIMIT: Final = 300
"""Bytes a message may have."""
PAYLOADS: Final = (b"", b"x", b"hello", "é".encode(), b"\xc3", b"\xa9", b"\xff", b"\x03\xe8", b"\x03\xed",
                   b"\x0b\xb8ok",
                   b"\x03\xe8\xff", b"x" * 125, b"x" * 126, b"x" * 250, b"x" * 301)  # fmt: skip
LENGTHS: Final = (0, 125, 126, 65535, 65536, 1 << 40, (1 << 64) - 1)
LIKELY: Final = (0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88)


def stream(rng: random.Random) -> bytes:
    """Up to a dozen frames, most of them legal by themselves."""
    data = bytearray()
    for _ in range(rng.randint(1, 12)):
        first = rng.choice(LIKELY) if rng.random() < 0.97 else rng.randrange(256)
        payload = rng.choice(PAYLOADS)
        length = (
            len(payload)
            if rng.random() < 0.98
            else rng.choice((0, 125, 126, 65535, 65536, 1 << 40, (1 << 64) - 1))
        )
        masked = 0x80 if rng.random() < 0.01 else 0
        extended = 0 if length < 126 else 2 if length < 65536 else 8
        if length < 65536 and rng.random() < 0.03:
            extended = 8 if length > 125 or rng.random() < 0.5 else 2  # longer than need be
        data += bytes((first, masked | (length if not extended else 126 if extended == 2 else 127)))
        data += length.to_bytes(extended, "big") if extended else b""
        data += payload
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)) :]
    return bytes(data)


def cut(data: bytes, how: int) -> Iterable[bytes]:
    """The data as it comes: in one, byte by byte, or in pieces."""
    step = (len(data) or 1, 1, 1 + how // 4 % 7, 1 + how * 3)[how % 4]
    return [data[start : start + step] for start in range(0, len(data), step)]


def read(pieces: Iterable[bytes]) -> Understood:
    """What wsload's reader makes of it."""
    reader, said = Reader(LIMIT), Understood()
    try:
        for piece in pieces:
            reader.feed(piece)
            while (found := reader.next()) is not None:
                first, payload = found
                if first == CLOSE:
                    said.closed = parse_close(payload)
                    return said
                if first == PING:
                    said.pings.append(payload)
                elif first & 8:
                    said.pongs.append(payload)
                else:
                    said.messages.append((first & 15, payload))
    except Violation as violation:
        said.broken.add(violation.kind)
    return said


def read_by_probe(pieces: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """The messages that the probe's reader finds before it stops."""
    reader, found = probe.FrameReader(max_bytes=LIMIT), []
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except probe.Violation:
        pass
    return found


def run(data: bytes) -> None:
    """The first byte says how the rest is cut; both readers must find what the RFC says."""
    pieces = list(cut(data[1:], data[0] if data else 0))
    ours, theirs = read(pieces), understand(data[1:], LIMIT)
    assert ours.messages == theirs.messages, (ours, theirs)
    assert ours.pings == theirs.pings and ours.pongs == theirs.pongs, (ours, theirs)
    assert ours.closed == theirs.closed, (ours, theirs)
    assert ours.broken <= theirs.broken and bool(ours.broken) == bool(theirs.broken), (ours, theirs)
    messages = [(opcode, payload) for opcode, payload in read_by_probe(pieces) if opcode in (1, 2)]
    # It does not look at text, nor at how a connection is closed, and says nothing of what came with a bad frame.
    common = min(len(messages), len(theirs.messages))
    assert messages[:common] == theirs.messages[:common], (messages, theirs)
    assert theirs.broken or theirs.closed or len(messages) >= len(theirs.messages), (messages, theirs)


def make(rng: random.Random) -> bytes:
    return bytes((rng.randrange(256),)) + stream(rng)
