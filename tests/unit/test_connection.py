from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CLOSED, OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from wsload.engine.connection import TimedConnection
from wsload.engine.opening import QuietLogger
from wsload.errors import NotConnected
from wsload.measure.recorder import Recorder

URI = parse_uri("ws://127.0.0.1:1/")
MAX_SIZE = 1000
QUIET: Any = QuietLogger(None)

Message = tuple[bytes, bool]


class Wire(asyncio.Transport):
    """A transport without a network: keeps what is written, and can be read out."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = asyncio.Event()
        self.closing = False
        self.limits: tuple[int | None, int | None] = (None, None)

    def write(self, data: Any) -> None:
        assert not self.closing, "written to after its end"
        self.written.append(bytes(data))

    def take(self) -> bytes:
        data = b"".join(self.written)
        self.written.clear()
        return data

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.written))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = high, low

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True
        self.aborted.set()

    def pause_reading(self) -> None:
        raise AssertionError("nobody asked for that")

    resume_reading = pause_reading


class Listener:
    """A sink that keeps all it is told, in order."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.stamps: list[int] = []
        self.closes: list[tuple[int, str]] = []

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        assert not self.closes
        assert type(data) is bytes
        self.messages.append((data, text))
        self.stamps.append(at_ns)

    def receive_close(self, code: int, reason: str) -> None:
        self.closes.append((code, reason))


class Pair:
    """A `TimedConnection` and the library's server protocol, without a network between them."""

    def __init__(self, *, deflate: bool = False, max_size: int | None = MAX_SIZE, close_timeout: float = 9) -> None:
        self.recorder = Recorder()
        self.server = ServerProtocol(
            extensions=[ServerPerMessageDeflateFactory()] if deflate else None, logger=QUIET
        )
        protocol = ClientProtocol(
            URI,
            extensions=[ClientPerMessageDeflateFactory()] if deflate else None,
            max_size=max_size,
            logger=QUIET,
        )
        self.wire = Wire()
        self.listener = Listener()
        self.client = TimedConnection(
            protocol, recorder=self.recorder, ping_interval=None, close_timeout=close_timeout
        )
        self.client.connection_made(self.wire)
        protocol.send_request(protocol.connect())
        self.client.send_data()
        self.server.receive_data(self.wire.take())
        (request,) = self.server.events_received()
        self.server.send_response(self.server.accept(request))  # type: ignore[arg-type]
        self.response = self.said()

    @classmethod
    def open(cls, **settings: Any) -> Pair:
        """The same, its handshake done and its listener attached."""
        pair = cls(**settings)
        pair.client.data_received(pair.response)
        pair.client.attach(pair.listener)
        return pair

    def said(self) -> bytes:
        """What the server has to send."""
        return b"".join(self.server.data_to_send())

    def heard(self) -> list[Frame]:
        """What the server gets of what the client wrote."""
        self.server.receive_data(self.wire.take())
        return self.server.events_received()  # type: ignore[return-value]

    @property
    def closed_with(self) -> int | None:
        """The code of the close frame that the client sent."""
        self.heard()
        return None if self.server.close_rcvd is None else int(self.server.close_rcvd.code)


def on_loop(body: Callable[[], Awaitable[None]]) -> None:
    """A connection needs a running loop, though hardly ever uses it."""

    async def main() -> None:
        async with asyncio.timeout(20):
            await body()

    asyncio.run(main())


def chunks(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data, cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in itertools.pairwise(places)]


# A server's side of a conversation

payloads = st.binary(max_size=20) | st.sampled_from((0, 125, 126, 127, MAX_SIZE)).map(lambda size: b"x" * size)
texts = st.text(max_size=20).map(str.encode) | st.just("é€😀".encode())
control = st.tuples(st.sampled_from(("ping", "pong")), st.binary(max_size=125))
pieces = st.lists(st.binary(max_size=10) | control, min_size=1, max_size=6)
turns = st.one_of(
    st.tuples(st.just("text"), texts),
    st.tuples(st.just("binary"), payloads),
    control,
    st.tuples(st.just("text in fragments"), st.tuples(texts, st.lists(st.integers(0, 90), max_size=4), control)),
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
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            continue
        data, text = started or (b"", frame.opcode is Opcode.TEXT)
        started = (data + bytes(frame.data), text)
        if frame.fin:
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


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


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
        draft = pair.recorder.freeze(start_s=0, length_s=1, gauges={})
        assert draft.interval().failures == {("message", "invalid UTF-8"): 1}

    on_loop(body)


# The handshake


@given(st.integers(1, 4), st.lists(texts, max_size=3))
def test_frames_right_behind_the_response_are_taken_however_it_is_cut(size: int, sent: list[bytes]) -> None:
    async def body() -> None:
        pair = Pair()
        for text in sent:
            pair.server.send_text(text)
        stream = pair.response + pair.said()
        for chunk in chunks(stream, range(0, len(stream), size)):
            pair.client.data_received(chunk)
        pair.client.attach(pair.listener)
        assert [data for data, _ in pair.listener.messages] == sent
        assert 0 < pair.client.made_ns <= pair.client.response_ns <= time.monotonic_ns()

    on_loop(body)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_refusal_is_read_with_its_body(step: int) -> None:
    async def body() -> None:
        pair = Pair()
        refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 12\r\n\r\nsorry\r\n\r\nyou"
        for chunk in chunks(refusal, range(0, len(refusal), step)):
            pair.client.data_received(chunk)
        response = pair.client.response
        assert isinstance(response, Response) and response.status_code == 503
        assert bytes(response.body or b"") == b"sorry\r\n\r\nyou"
        pair.client.connection_lost(None)
        draft = pair.recorder.freeze(start_s=0, length_s=1, gauges={})
        assert draft.interval().closes == {}, "it was never open"

    on_loop(body)


# Sending


@pytest.mark.parametrize("deflate", [False, True])
@given(sent=st.lists(st.tuples(texts | payloads | st.just(b"x" * 70_000), st.booleans()), max_size=5))
def test_what_is_sent_arrives(deflate: bool, sent: list[Message]) -> None:
    async def body() -> None:
        pair = Pair.open(deflate=deflate)
        for data, text in sent:
            pair.client.send_now(data, text=text)
        written = pair.client.buffered_bytes
        assert written == pair.wire.get_write_buffer_size()
        assert [(bytes(got.data), got.opcode is Opcode.TEXT) for got in pair.heard()] == sent
        assert pair.recorder.count.sent == len(sent)
        if not deflate:
            assert pair.recorder.count.bytes_out == written

    on_loop(body)


def test_masks_are_not_all_the_same() -> None:
    async def body() -> None:
        pair = Pair.open()
        for _ in range(8):
            pair.client.send_now(b"", text=True)
        assert len({data[2:] for data in pair.wire.written}) > 1

    on_loop(body)


def test_nothing_is_sent_or_counted_before_it_is_open_or_after() -> None:
    async def body() -> None:
        pair = Pair()
        with pytest.raises(NotConnected):
            pair.client.send_now(b"early", text=True)
        pair.client.data_received(pair.response)
        pair.client.data_received(b"\x88\x02\x03\xe8")
        pair.wire.take()
        with pytest.raises(NotConnected):
            pair.client.send_now(b"late", text=True)
        assert pair.wire.take() == b""
        assert pair.recorder.count.sent == pair.recorder.count.bytes_out == 0

    on_loop(body)


def test_it_is_writable_while_the_transport_has_room() -> None:
    async def body() -> None:
        pair = Pair.open()
        assert pair.client.writable
        pair.client.pause_writing()
        assert not pair.client.writable
        waiting = asyncio.ensure_future(pair.client.ready_to_write())
        await asyncio.sleep(0)
        assert not waiting.done()
        pair.client.resume_writing()
        await waiting
        assert pair.client.writable

    on_loop(body)


# Pings


def test_a_ping_is_recorded_when_its_pong_arrives_and_only_then() -> None:
    async def body() -> None:
        pair = Pair.open()
        pings = pair.recorder.values["ping"]
        pair.client.ping_now(timeout_ns=10**12)
        (ping,) = pair.heard()
        pair.client.data_received(frame(Opcode.PONG, b"unasked"))
        assert pings == []
        pong = frame(Opcode.PONG, bytes(ping.data))
        pair.client.data_received(pong)
        pair.client.data_received(pong)
        assert len(pings) == 1 and pings[0] > 0

    on_loop(body)


def test_an_unanswered_ping_is_waited_for_and_then_fails_the_connection() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.client.ping_now(timeout_ns=10**12)
        pair.client.ping_now(timeout_ns=10**12)
        assert [ping.opcode for ping in pair.heard()] == [Opcode.PING]
        assert pair.client.protocol.state is OPEN
        pair.client.ping_now(timeout_ns=0)
        assert pair.closed_with == 1011
        pair.client.ping_now(timeout_ns=0)

    on_loop(body)


# The end


@pytest.mark.parametrize(
    ("closing", "code", "reason"),
    [
        (Close(1000, "done").serialize(), 1000, "done"),
        (Close(4321, "").serialize(), 4321, ""),
        (b"", 1005, ""),
        (None, 1006, ""),
    ],
)
@pytest.mark.parametrize("attached", [True, False], ids=["attached", "attached later"])
def test_a_close_is_told_once_with_its_code(
    closing: bytes | None, code: int, reason: str, attached: bool
) -> None:
    async def body() -> None:
        pair = Pair()
        pair.client.data_received(pair.response)
        if attached:
            pair.client.attach(pair.listener)
        pair.client.data_received(frame(Opcode.TEXT, b"last words"))
        if closing is not None:
            pair.client.data_received(frame(Opcode.CLOSE, closing))
        pair.client.eof_received()
        pair.client.connection_lost(None)
        if not attached:
            pair.client.attach(pair.listener)
        assert pair.client.protocol.state is CLOSED
        assert pair.listener.messages == [(b"last words", True)]
        assert pair.listener.closes == [(code, reason)]
        draft = pair.recorder.freeze(start_s=0, length_s=1, gauges={})
        assert draft.interval().closes == {code: 1}

    on_loop(body)


def test_what_arrives_while_closing_is_still_taken() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.server.send_text(b"one")
        pair.server.send_text(b"two")
        one_and_a_bit, rest = chunks(pair.said(), [7])
        pair.client.data_received(one_and_a_bit)
        closing = asyncio.ensure_future(pair.client.close(1000))
        await asyncio.sleep(0)
        assert pair.closed_with == 1000
        pair.client.data_received(rest + pair.said())
        pair.client.connection_lost(None)
        await closing
        assert [data for data, _ in pair.listener.messages] == [b"one", b"two"]
        assert pair.listener.closes == [(1000, "")]

    on_loop(body)
