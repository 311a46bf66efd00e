"""What arrives: the frame parser, against the library's server and against the library's own parser."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair import MAX_SIZE, QUIET, URI, Message, Pair, chunks, frame, on_loop
from websockets.client import ClientProtocol
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from wsload.errors import NotConnected

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


@pytest.mark.parametrize("deflate", [False, True])
@settings(max_examples=150)
@given(conversation=st.lists(turns, max_size=8), places=cuts, attached_after=st.integers(0, 20))
def test_however_the_stream_is_cut_the_messages_are_the_same(
    deflate: bool, conversation: list[tuple[str, Any]], places: Iterable[int], attached_after: int
) -> None:
    async def body() -> None:
        pair = Pair(deflate=deflate)
        stream, expected, pings = pair.response, [], []
        for turn in conversation:
            messages, answered = say(pair.server, turn)
            stream += pair.said()
            expected += messages
            pings += answered
        for number, chunk in enumerate(chunks(stream, places)):
            if number == attached_after:
                pair.client.attach(pair.listener)
            pair.client.data_received(chunk)
        if not pair.listener.messages:
            pair.client.attach(pair.listener)
        assert pair.listener.messages == expected
        assert [bytes(frame.data) for frame in pair.heard()] == pings
        assert pair.client.protocol.state is OPEN
        assert pair.recorder.count.received == len(expected)
        assert pair.recorder.count.bytes_in == len(stream)

    on_loop(body)


@given(st.lists(texts, max_size=8), cuts)
def test_a_message_is_stamped_when_its_last_byte_arrives(sent: list[bytes], places: Iterable[int]) -> None:
    async def body() -> None:
        pair = Pair.open()
        for text in sent:
            pair.server.send_text(text)
        before = time.monotonic_ns()
        for chunk in chunks(pair.said(), places):
            known = len(pair.listener.stamps)
            pair.client.data_received(chunk)
            after = time.monotonic_ns()
            assert all(before <= stamp <= after for stamp in pair.listener.stamps[known:])
            before = after
        assert len(pair.listener.stamps) == len(sent)

    on_loop(body)


# Against the library's own parser

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


def understood(stream: bytes) -> tuple[list[Message], int | None]:
    """What the library makes of the stream: the messages, and the code of the close frame it sends."""
    protocol = ClientProtocol(URI, state=OPEN, max_size=MAX_SIZE, logger=QUIET)
    protocol.receive_data(stream)
    messages: list[Message] = []
    started: tuple[bytes, bool] | None = None
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            continue
        data, text = started or (b"", event.opcode is Opcode.TEXT)
        started = (data + bytes(event.data), text)
        if event.fin:
            if text and not _is_utf8(started[0]):
                return messages, CloseCode.INVALID_DATA
            messages.append(started)
            started = None
    return messages, None if protocol.close_sent is None else int(protocol.close_sent.code)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@settings(max_examples=400)
@given(streams, cuts)
def test_it_never_disagrees_with_the_library_about_a_stream(stream: bytes, places: Iterable[int]) -> None:
    # The library refuses some frames by their head, and here that is done with the whole frame: so
    # that every frame comes to its end, more follows.
    stream += bytes(MAX_SIZE + 100)

    async def body() -> None:
        pair = Pair.open()
        for chunk in chunks(stream, places):
            pair.client.data_received(chunk)
        messages, code = understood(stream)
        assert pair.listener.messages == messages
        assert pair.closed_with == (1005 if code is None and pair.server.close_rcvd else code)

    on_loop(body)


WRONG = {
    "masked text": (frame(Opcode.TEXT, b"hello", mask=True), 1002),
    "masked binary": (frame(Opcode.BINARY, b"x" * 300, mask=True), 1002),
    "masked ping": (frame(Opcode.PING, b"", mask=True), 1002),
    "reserved opcode": (b"\x83\x01x", 1002),
    "reserved bit": (b"\xc1\x01x", 1002),
    "lone continuation": (b"\x80\x01x", 1002),
    "text amid fragments": (frame(Opcode.TEXT, b"a", fin=False) + frame(Opcode.TEXT, b"b"), 1002),
    "close amid fragments": (frame(Opcode.TEXT, b"a", fin=False) + b"\x88\x02\x03\xe8", 1002),
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


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_server_that_breaks_the_protocol_fails_the_connection(wrong: str, bytewise: bool) -> None:
    data, code = WRONG[wrong]

    async def body() -> None:
        pair = Pair.open()
        stream = frame(Opcode.TEXT, b"before") + data + frame(Opcode.TEXT, b"after")
        for chunk in chunks(stream, range(len(stream)) if bytewise else ()):
            pair.client.data_received(chunk)
        assert pair.listener.messages == [(b"before", True)]
        assert pair.closed_with == code
        assert pair.client.protocol.state is not OPEN
        with pytest.raises(NotConnected):
            pair.client.send_now(b"", text=True)

    on_loop(body)


@pytest.mark.parametrize("wrong", ["masked text", "too large", "invalid UTF-8"])
def test_a_server_that_is_told_to_go_and_stays_is_dropped(wrong: str) -> None:
    async def body() -> None:
        pair = Pair.open(close_timeout=0.01)
        pair.client.data_received(WRONG[wrong][0])
        await pair.wire.aborted.wait()

    on_loop(body)


def test_a_server_that_says_goodbye_and_stays_is_dropped() -> None:
    async def body() -> None:
        pair = Pair.open(close_timeout=0.01)
        pair.client.data_received(frame(Opcode.CLOSE, Close(1001, "bye").serialize()))
        assert pair.closed_with == 1001
        await pair.wire.aborted.wait()
        pair.client.connection_lost(None)
        assert pair.listener.closes == [(1001, "bye")]

    on_loop(body)


def test_invalid_text_is_a_failure_by_its_name() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.client.data_received(frame(Opcode.TEXT, b"\xff"))
        assert pair.interval().failures == {("message", "invalid UTF-8"): 1}

    on_loop(body)
