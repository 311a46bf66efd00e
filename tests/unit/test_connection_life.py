"""The life of a connection: its handshake, what it sends, its pings and its end."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair import MAX_SIZE, Message, Pair, chunks, frame, on_loop
from websockets.frames import Close, Opcode

from wsload.errors import NotConnected
from wsload.load.ws.connection import TimedConnection
from wsload.load.ws.incoming import Incoming
from wsload.load.ws.reader import Reader
from wsload.load.ws.states import State

texts = st.text(max_size=20).map(str.encode)
payloads = texts | st.sampled_from((0, 125, 126, 127, MAX_SIZE, 70_000)).map(lambda size: b"x" * size)

# The handshake


@given(st.integers(1, 4), st.lists(texts, max_size=3))
def test_frames_right_behind_the_response_are_taken_however_it_is_cut(size: int, sent: list[bytes]) -> None:
    async def body() -> None:
        pair = Pair()
        for text in sent:
            pair.server.send_text(text)
        stream = pair.response + pair.said()
        for chunk in chunks(stream, range(0, len(stream), size)):
            pair.arrive(chunk)
        pair.client.attach(pair.listener)
        assert [data for data, _ in pair.listener.messages] == sent
        assert 0 < pair.client.made_ns <= pair.client.response_ns <= time.monotonic_ns()

    on_loop(body)


# Sending


@pytest.mark.parametrize("deflate", [False, True])
@given(sent=st.lists(st.tuples(payloads, st.booleans()), max_size=5))
def test_what_is_sent_arrives(deflate: bool, sent: list[Message]) -> None:
    async def body() -> None:
        pair = Pair.open(deflate=deflate)
        for data, text in sent:
            pair.client.send_now(data, text=text)
        written = pair.client.transport.get_write_buffer_size()
        assert written == pair.wire.get_write_buffer_size()
        assert [(bytes(got.data), got.opcode is Opcode.TEXT) for got in pair.heard()] == sent
        assert pair.recorder.count.sent == len(sent)
        assert pair.recorder.count.bytes_out == written

    on_loop(body)


def test_masks_are_not_all_the_same() -> None:
    async def body() -> None:
        pair = Pair.open()
        for _ in range(8):
            pair.client.send_now(b"", text=True)
        assert len({data[2:] for data in pair.wire.written}) > 1

    on_loop(body)


@pytest.mark.parametrize("end", ["closed by the server", "closing", "failed", "aborted", "gone"])
def test_nothing_is_sent_or_counted_once_it_is_not_open(end: str) -> None:
    async def body() -> None:
        pair = Pair.open()
        if end == "closed by the server":
            pair.arrive(b"\x88\x02\x03\xe8")
        elif end == "closing":
            closing = asyncio.ensure_future(pair.client.close())
            await asyncio.sleep(0)
            closing.cancel()
        elif end == "failed":
            pair.arrive(b"\x83")
        elif end == "aborted":
            pair.client.abort()
        else:
            pair.lose()
        pair.wire.take()
        bytes_out = pair.recorder.count.bytes_out
        with pytest.raises(NotConnected):
            pair.client.send_now(b"late", text=True)
        assert not pair.client.ping_now()
        assert pair.wire.take() == b""
        assert pair.recorder.count.sent == 0 and pair.recorder.count.bytes_out == bytes_out

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
        pair.client.ping_now()
        (ping,) = pair.heard()
        pair.arrive(frame(Opcode.PONG, b"unasked"))
        assert pings == []
        pong = frame(Opcode.PONG, bytes(ping.data))
        pair.arrive(pong)
        pair.arrive(pong)
        assert len(pings) == 1 and pings[0] > 0

    on_loop(body)


def test_an_unanswered_ping_is_waited_for_until_it_fails_the_connection() -> None:
    async def body() -> None:
        pair = Pair.open()
        assert pair.client.ping_now()
        assert not pair.client.ping_now()
        assert [ping.opcode for ping in pair.heard()] == [Opcode.PING]
        assert pair.client.state is State.OPEN
        pair.client.pong_overdue()
        assert pair.closed_with == 1011
        pair.client.pong_overdue()
        assert not pair.client.ping_now()

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
        pair.arrive(pair.response)
        if attached:
            pair.client.attach(pair.listener)
        pair.arrive(frame(Opcode.TEXT, b"last words"))
        if closing is not None:
            pair.arrive(frame(Opcode.CLOSE, closing))
        pair.lose()
        if not attached:
            pair.client.attach(pair.listener)
        assert pair.client.state is State.CLOSED
        assert pair.listener.messages == [(b"last words", True)]
        assert pair.listener.closes == [(code, reason)]
        assert pair.interval().closes == {code: 1}

    on_loop(body)


@pytest.mark.parametrize("closing", [Close(1000, "done").serialize(), None], ids=["closed", "dropped"])
def test_what_has_ended_leaves_no_garbage(closing: bytes | None) -> None:
    # Swarms freeze what the collector would have to walk: what only it could find would stay for ever.
    async def body() -> None:
        gc.collect()
        before = alive()
        pair = Pair.open()
        if closing is not None:
            pair.arrive(frame(Opcode.CLOSE, closing))
        pair.lose()
        assert alive() > before
        gc.disable()
        try:
            del pair
            assert alive() == before
        finally:
            gc.enable()

    def alive() -> int:
        return sum(isinstance(each, TimedConnection | Incoming | Reader) for each in gc.get_objects())

    on_loop(body)


def test_what_arrives_while_closing_is_still_taken() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.server.send_text(b"one")
        pair.server.send_text(b"two")
        one_and_a_bit, rest = chunks(pair.said(), [7])
        pair.arrive(one_and_a_bit)
        closing = asyncio.ensure_future(pair.client.close(1000))
        await asyncio.sleep(0)
        assert pair.closed_with == 1000
        pair.arrive(rest + pair.said())
        pair.lose()
        await closing
        assert [data for data, _ in pair.listener.messages] == [b"one", b"two"]
        assert pair.listener.closes == [(1000, "")]

    on_loop(body)
