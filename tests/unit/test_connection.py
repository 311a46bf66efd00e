"""What arrives: the frame parser, against the library's server and against the library's own parser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pytest
from conversations import WRONG, cuts, say, streams, texts, turns
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pair import MAX_SIZE, QUIET, URI, Listener, Message, Pair, chunks, frame, on_loop
from support.rfc6455 import understand
from websockets.client import ClientProtocol
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN

from wsload.errors import NotConnected
from wsload.load.ws.states import State


@pytest.mark.parametrize("deflate", [False, True])
@settings(max_examples=150)
@given(conversation=st.lists(turns, max_size=8), places=cuts, attached_after=st.integers(0, 20))
def test_however_the_stream_is_cut_the_messages_are_the_same(
    deflate: bool, conversation: list[tuple[str, Any]], places: Iterable[int], attached_after: int
) -> None:
    async def body() -> None:
        pair = Pair(deflate=deflate)
        stream, expected, pings, attached = pair.response, [], [], False
        for turn in conversation:
            messages, answered = say(pair.server, turn)
            stream += pair.said()
            expected += messages
            pings += answered
        for number, chunk in enumerate(chunks(stream, places)):
            if number >= attached_after and pair.is_open and not attached:
                pair.client.attach(pair.listener)
                attached = True
            pair.arrive(chunk)
        if not attached:
            pair.client.attach(pair.listener)
        assert pair.listener.messages == expected
        assert [bytes(frame.data) for frame in pair.heard()] == pings
        assert pair.client.state is State.OPEN
        assert pair.recorder.count.received == len(expected)
        assert pair.recorder.count.bytes_in == len(stream) - len(pair.response)

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
            pair.arrive(chunk)
            after = time.monotonic_ns()
            assert all(before <= stamp <= after for stamp in pair.listener.stamps[known:])
            before = after
        assert len(pair.listener.stamps) == len(sent)

    on_loop(body)


# Against the library's own parser


FATAL = {1002, 1007, 1009}


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
@example(b"\x88\x02\x03\xef", ())  # the server itself closes with 1007
@given(streams, cuts)
def test_it_fails_what_the_library_fails_and_hands_on_what_the_library_hands_on(
    stream: bytes, places: Iterable[int]
) -> None:
    # The library judges some frames by their head, some as a whole: so that every frame comes to its
    # end, more follows.
    stream += bytes(MAX_SIZE + 100)

    async def body() -> None:
        pair = Pair.open()
        for chunk in chunks(stream, places):
            pair.arrive(chunk)
        messages, code = understood(stream)
        ours = pair.closed_with
        said = understand(stream, MAX_SIZE)
        if code in FATAL and not said.broken:
            # The library refuses a close frame between fragments, and there any control frame that with
            # them would be longer than a message; the RFC does not (sections 5.4 and 5.5).
            assert ours not in FATAL or (said.closed is not None and ours == said.closed[0])
            assert pair.listener.messages[: len(messages)] == messages
            return
        assert pair.listener.messages == messages
        if code in FATAL:
            assert ours in FATAL
        else:
            assert ours == (1005 if code is None and pair.server.close_rcvd else code)

    on_loop(body)


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_server_that_breaks_the_protocol_fails_the_connection(wrong: str, bytewise: bool) -> None:
    data, code = WRONG[wrong]

    async def body() -> None:
        pair = Pair.open()
        stream = frame(Opcode.TEXT, b"before") + data + frame(Opcode.TEXT, b"after")
        for chunk in chunks(stream, range(len(stream)) if bytewise else ()):
            pair.arrive(chunk)
        assert pair.listener.messages == [(b"before", True)]
        assert pair.closed_with == code
        assert pair.client.state is not State.OPEN
        with pytest.raises(NotConnected):
            pair.client.send_now(b"", text=True)

    on_loop(body)


@pytest.mark.parametrize("wrong", ["masked text", "too large", "invalid UTF-8"])
def test_a_server_that_is_told_to_go_and_stays_is_dropped(wrong: str) -> None:
    async def body() -> None:
        pair = Pair.open(close_timeout=0.01)
        pair.arrive(WRONG[wrong][0])
        await pair.wire.aborted.wait()

    on_loop(body)


def test_a_server_that_says_goodbye_and_stays_is_dropped() -> None:
    async def body() -> None:
        pair = Pair.open(close_timeout=0.01)
        pair.arrive(frame(Opcode.CLOSE, Close(1001, "bye").serialize()))
        assert pair.closed_with == 1001
        await pair.wire.aborted.wait()
        pair.lose()
        assert pair.listener.closes == [(1001, "bye")]

    on_loop(body)


KINDS = {
    "masked text": "masked frame",
    "masked binary": "masked frame",
    "masked ping": "masked frame",
    "reserved opcode": "reserved opcode",
    "reserved bit": "reserved bits",
    "lone continuation": "unexpected continuation",
    "text amid fragments": "unfinished message",
    "long ping": "long control frame",
    "ping in fragments": "fragmented control frame",
    "close of one byte": "bad close frame",
    "close code 1005": "bad close code",
    "too large": "message too big",
    "a terabyte": "message too big",
    "a length with its highest bit set": "message too big",
    "too large in fragments": "message too big",
    "invalid UTF-8": "invalid UTF-8",
    "a lone surrogate": "invalid UTF-8",
    "half a character": "invalid UTF-8",
    "invalid UTF-8 in fragments": "invalid UTF-8",
    "invalid UTF-8 in the reason": "invalid UTF-8",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_broken_rule_is_one_end_by_its_name(wrong: str) -> None:
    data, code = WRONG[wrong]

    async def body() -> None:
        pair = Pair.open()
        pair.arrive(data)
        pair.lose()
        end = pair.client.end
        assert (end.kind, end.who, end.code, end.counted) == (
            KINDS[wrong],
            "client",
            1006,
            code,
        )
        assert str(code) in end.detail and "\n" not in end.detail
        assert pair.listener.closes == [(1006, "")]
        interval = pair.interval()
        assert interval.closes == {code: 1}
        assert interval.failures == {}, "what it cost is for the user to say"

    on_loop(body)


HEADS = {
    "reserved opcode": (b"\x83", 1002),
    "reserved bit": (b"\xa1", 1002),
    "compressed, which nobody agreed on": (b"\xc1", 1002),
    "ping in fragments": (b"\x09", 1002),
    "lone continuation": (b"\x00", 1002),
    "masked": (b"\x81\x80", 1002),
    "long ping": (b"\x89\x7e", 1002),
    "too large": (b"\x82\x7e\xff\xff", 1009),
    "a terabyte": (b"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00", 1009),
    "text amid fragments": (b"\x01\x01a\x81", 1002),
    "too large in fragments": (b"\x02\x7e\x03\xe8" + bytes(1000) + b"\x80\x01", 1009),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_frame_is_judged_as_soon_as_its_head_is_there(head: str) -> None:
    data, code = HEADS[head]

    async def body() -> None:
        pair = Pair.open()
        pair.arrive(data)
        assert pair.closed_with == code

    on_loop(body)


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_behind_what_breaks_a_rule_is_handed_on(wrong: str) -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.arrive(frame(Opcode.TEXT, b"before") + WRONG[wrong][0] + frame(Opcode.TEXT, b"after"))
        pair.arrive(frame(Opcode.TEXT, b"later"))
        assert pair.listener.messages == [(b"before", True)]
        assert pair.recorder.count.received == 1

    on_loop(body)


@pytest.mark.parametrize("cut", range(1, 8))
def test_no_byte_behind_a_control_frame_is_lost_while_closing(cut: int) -> None:
    stream = frame(Opcode.PING, b"?") + frame(Opcode.CLOSE, Close(1000, "ok").serialize())

    async def body() -> None:
        pair = Pair.open()
        closing = asyncio.ensure_future(pair.client.close(1000))
        await asyncio.sleep(0)
        for chunk in chunks(stream, [cut]):
            pair.arrive(chunk)
        pair.lose()
        await closing
        assert pair.listener.closes == [(1000, "ok")]
        assert pair.client.end.who == "client"

    on_loop(body)


def test_a_receiver_that_fails_costs_neither_the_connection_nor_the_next_message() -> None:
    class Failing(Listener):
        def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
            super().receive_message(data, text, at_ns)
            raise ValueError("on purpose")

    async def body() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        pair = Pair.open()
        pair.client.attach(Failing())
        sent = [b"one", b"two", "trois é".encode(), b"four"]
        pair.arrive(frame(Opcode.TEXT, sent[0]))
        pair.arrive(b"".join(frame(Opcode.TEXT, data) for data in sent[1:]))
        assert len(told) == 4 and pair.client.state is State.OPEN

    on_loop(body)
