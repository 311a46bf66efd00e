"""Hypothesis strategies for what a server sends, right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from pair import MAX_SIZE, Message, chunks, frame
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

# A server's side of a conversation

payloads = st.binary(max_size=20) | st.sampled_from((0, 125, 126, 127, MAX_SIZE)).map(
    lambda size: b"x" * size
)
texts = st.text(max_size=20).map(str.encode) | st.just("é€😀".encode())
control = st.tuples(st.sampled_from(("ping", "pong")), st.binary(max_size=125))
pieces = st.lists(st.binary(max_size=10) | control, min_size=1, max_size=6)
turns = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("binary"), payloads),
    control,
    st.tuples(
        st.just("text in fragments"), st.tuples(texts, st.lists(st.integers(0, 90), max_size=4), control)
    ),
    st.tuples(st.just("binary in fragments"), pieces),
)
cuts = st.lists(st.integers(0, 10**6), max_size=12) | st.just(range(10**4))


def say(server: ServerProtocol, turn: tuple[str, Any]) -> tuple[list[Message], list[bytes]]:
    """Has the server take its turn; what the client should get, and what pings it should answer."""
    kind, what = turn
    if kind == "text":
        server.send_text(what)
        return [(what, True)], []
    if kind == "binary":
        server.send_binary(what)
        return [(what, False)], []
    if kind == "ping":
        server.send_ping(what)
        return [], [what]
    if kind == "pong":
        server.send_pong(what)
        return [], []
    if kind == "text in fragments":
        text, places, interlude = what
        parts: Sequence[Any] = [*chunks(text, places), interlude, b""] if text else [b"", interlude, b""]
        return say_in_fragments(server, parts, text=True)
    return say_in_fragments(server, [*what, b""], text=False)


def say_in_fragments(
    server: ServerProtocol, parts: Sequence[Any], *, text: bool
) -> tuple[list[Message], list[bytes]]:
    data, pings, started = b"", [], False
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if isinstance(part, tuple):
            _, answered = say(server, part)
            pings += answered
            continue
        if started:
            server.send_continuation(part, fin=last)
        elif text:
            server.send_text(part, fin=last)
        else:
            server.send_binary(part, fin=last)
        started = True
        data += part
    return [(data, text)], pings


# Streams that may be wrong

heads = st.builds(
    lambda head, length, data: bytes((head, length)) + data,
    st.sampled_from((0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0x09)) | st.integers(0, 255),
    st.sampled_from((0, 1, 2, 5, 125, 126, 127, 128, 130, 255)),
    st.binary(max_size=12),
)
frames = st.builds(
    lambda opcode, data, fin, mask: _serialized(opcode, data, fin, mask),
    st.sampled_from((Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.PONG)),
    texts | payloads | st.just(b"x" * (MAX_SIZE + 1)),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((False,) * 9 + (True,)),
)
closings = st.builds(
    lambda code, reason: Frame(Opcode.CLOSE, code + reason).serialize(mask=False),
    st.sampled_from((b"", b"\x03", b"\x03\xe8", b"\x03\xf3", b"\x00\x00", b"\x03\xed")),
    st.just(b"") | st.binary(max_size=5),
)
streams = st.lists(st.one_of(frames, frames, heads, closings), max_size=6).map(b"".join)


def _serialized(opcode: Opcode, data: bytes, fin: bool, mask: bool) -> bytes:
    frame = Frame(opcode, data if opcode < Opcode.CLOSE else data[:125], fin or opcode >= Opcode.CLOSE)
    return frame.serialize(mask=mask)


WRONG = {
    "masked text": (frame(Opcode.TEXT, b"hello", mask=True), 1002),
    "masked binary": (frame(Opcode.BINARY, b"x" * 300, mask=True), 1002),
    "masked ping": (frame(Opcode.PING, b"", mask=True), 1002),
    "reserved opcode": (b"\x83\x01x", 1002),
    "reserved bit": (b"\xc1\x01x", 1002),
    "lone continuation": (b"\x80\x01x", 1002),
    "text amid fragments": (frame(Opcode.TEXT, b"a", fin=False) + frame(Opcode.TEXT, b"b"), 1002),
    "long ping": (b"\x89\x7e\x00\x80" + b"x" * 128, 1002),
    "ping in fragments": (b"\x09\x01x", 1002),
    "close of one byte": (b"\x88\x01\x03", 1002),
    "close code 1005": (b"\x88\x02\x03\xed", 1002),
    "too large": (frame(Opcode.TEXT, b"x" * (MAX_SIZE + 1)), 1009),
    "a terabyte": (b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00" + b"x" * 50, 1009),
    "a length with its highest bit set": (b"\x82\x7f" + b"\xff" * 8 + b"x", 1009),
    "too large in fragments": (
        frame(Opcode.BINARY, b"x" * MAX_SIZE, fin=False) + frame(Opcode.CONT, b"x"),
        1009,
    ),
    "invalid UTF-8": (frame(Opcode.TEXT, b"\xff"), 1007),
    "a lone surrogate": (frame(Opcode.TEXT, b"\xed\xa0\x80"), 1007),
    "half a character": (frame(Opcode.TEXT, "€".encode()[:2]), 1007),
    "invalid UTF-8 in fragments": (frame(Opcode.TEXT, b"\xc3", fin=False) + frame(Opcode.CONT, b"("), 1007),
    "invalid UTF-8 in the reason": (frame(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
}
"""What breaks the protocol, and the close code it is to be failed with."""
