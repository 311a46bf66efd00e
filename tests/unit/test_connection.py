"""What arrives: the frame parser, against the library's server and against the library's own parser."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest
from conversations import WRONG, cuts, say, streams, texts, turns
from hypothesis import given, settings
from hypothesis import strategies as st
from pair import MAX_SIZE, QUIET, URI, Message, Pair, chunks, frame, on_loop
from websockets.client import ClientProtocol
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN

from wsload.errors import NotConnected


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
