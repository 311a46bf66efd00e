"""What a connection may cost the others: budgets a turn, floods that fail it, and stamps that stay exact."""

from __future__ import annotations

import asyncio
import time
import zlib

import pytest
from pair import Listener, Pair, frame, on_loop
from websockets.frames import Frame, Opcode

from wsload.load.ws.limits import IDLE_PER_S, MAX_DISCARDED, MAX_EARLY, PER_TURN, SUSPICIOUS_PER_S, Guard
from wsload.load.ws.rules import Violation
from wsload.load.ws.states import State

MESSAGE = frame(Opcode.TEXT, b"x" * 10)


async def settle(pair: Pair) -> int:
    """Lets the connection read on, as long as it has something left; the turns of the loop that took."""
    turns = 0
    while not pair.wire.reading and not pair.wire.closing:
        turns += 1
        await asyncio.sleep(0)
    return turns


@pytest.mark.parametrize("kind", ["text", "binary", "not ASCII", "fragments"])
def test_a_chunk_of_many_frames_is_read_in_many_turns_with_one_stamp(kind: str) -> None:
    one = {
        "text": MESSAGE,
        "binary": frame(Opcode.BINARY, b"x"),
        "not ASCII": frame(Opcode.TEXT, "é".encode()),
        "fragments": frame(Opcode.TEXT, b"x", fin=False) + frame(Opcode.CONT, b"y"),
    }[kind]
    number = 10 * PER_TURN

    async def body() -> None:
        pair = Pair.open()
        before = time.monotonic_ns()
        pair.arrive(one * number)
        after = time.monotonic_ns()
        assert not pair.wire.reading, "until it is read, nothing more is"
        most, known = 0, len(pair.listener.messages)
        while not pair.wire.reading:
            await asyncio.sleep(0)
            most, known = max(most, len(pair.listener.messages) - known), len(pair.listener.messages)
        assert known == number and most <= PER_TURN + 1
        assert {before <= stamp <= after for stamp in pair.listener.stamps} == {True}
        assert len(set(pair.listener.stamps)) == 1
        pair.arrive(MESSAGE)
        assert pair.listener.messages[-1] == (b"x" * 10, True)

    on_loop(body)


def test_large_messages_take_more_of_the_budget() -> None:
    async def body() -> None:
        pair = Pair.open(max_size=1 << 20)
        pair.arrive(frame(Opcode.BINARY, bytes(1 << 20)) * 4)
        assert len(pair.listener.messages) <= 2
        assert await settle(pair) >= 2
        assert len(pair.listener.messages) == 4

    on_loop(body)


@pytest.mark.parametrize("then", ["lost", "reset", "closed", "broken"])
def test_what_came_before_the_end_is_read_to_the_end(then: str) -> None:
    number = 5 * PER_TURN

    async def body() -> None:
        pair = Pair.open()
        last = {"closed": b"\x88\x02\x03\xe8", "broken": b"\x83\x00"}.get(then, b"")
        pair.arrive(MESSAGE * number + last)
        pair.lose(ConnectionResetError() if then == "reset" else None)
        assert pair.listener.closes == [] and pair.client.state is State.UNREAD
        await pair.client.wait_closed()
        assert len(pair.listener.messages) == number
        kinds = {
            "lost": "closed 1006",
            "reset": "reset",
            "closed": "closed 1000",
            "broken": "reserved opcode",
        }
        assert pair.client.end.kind == kinds[then]
        assert len(pair.listener.closes) == 1

    on_loop(body)


@pytest.mark.parametrize("rest", [b"", MESSAGE, MESSAGE[:1]], ids=["nothing", "a message", "half a message"])
@pytest.mark.parametrize("size", [1, 300, 70_000])
def test_who_is_given_a_message_may_abort_with_more_to_read(size: int, rest: bytes) -> None:
    async def body() -> None:
        pair = Pair(max_size=1 << 20)

        class Aborts(Listener):
            def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
                super().receive_message(data, text, at_ns)
                if len(self.messages) == 2:
                    pair.client.abort()

        pair.listener = Aborts()
        pair.arrive(pair.response)
        pair.client.attach(pair.listener)
        pair.arrive(frame(Opcode.TEXT, b"x" * size) * 2 + rest)
        pair.lose()
        assert len(pair.listener.messages) == 2
        assert pair.client.end.kind == "aborted"

    on_loop(body)


def test_what_is_aborted_is_read_no_more() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.arrive(MESSAGE * 5 * PER_TURN)
        number = len(pair.listener.messages)
        pair.client.abort()
        pair.lose()
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(pair.listener.messages) == number
        assert pair.client.end.kind == "aborted"

    on_loop(body)


def test_before_anybody_attaches_only_so_much_is_kept() -> None:
    async def body() -> None:
        pair = Pair()
        pair.arrive(pair.response)
        sent = 0
        while pair.wire.reading:
            pair.arrive(MESSAGE)
            sent += 1
            assert sent <= MAX_EARLY
        pair.client.attach(pair.listener)
        assert pair.wire.reading and len(pair.listener.messages) == sent == MAX_EARLY

    on_loop(body)


# Floods


@pytest.mark.parametrize("flood", ["pings", "pongs", "empty fragments of small messages"])
def test_a_flood_of_frames_that_carry_nothing_fails_the_connection(flood: str) -> None:
    one = {
        "pings": frame(Opcode.PING, b"?"),
        "pongs": frame(Opcode.PONG, b"!"),
        "empty fragments of small messages": frame(Opcode.TEXT, b"", fin=False)
        + frame(Opcode.CONT, b"", fin=False) * 1_000
        + frame(Opcode.CONT, b""),
    }[flood]

    async def body() -> None:
        pair = Pair.open()
        sent = 0
        while pair.client.state is State.OPEN:
            pair.arrive(one * 100)
            sent += 100
            await settle(pair)
            pair.wire.take()
            assert sent < 4 * IDLE_PER_S
        assert pair.client._ending.violation is not None
        assert pair.client._ending.violation.kind == "control frame flood"

    on_loop(body)


def test_endless_empty_fragments_fail_the_connection_before_they_are_many() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.arrive(frame(Opcode.TEXT, b"", fin=False))
        pair.arrive(frame(Opcode.CONT, b"", fin=False) * 100_000)
        await settle(pair)
        assert pair.closed_with == 1009
        pair.lose()
        assert pair.client.end.kind == "too many fragments"

    on_loop(body)


def bombs(size: int) -> bytes:
    """A frame of a message of zeros, small and compressed a thousand-fold."""
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(bytes(size)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return b"\xc2" + Frame(Opcode.BINARY, data[:-4]).serialize(mask=False)[1:]


@pytest.mark.parametrize("asked", [False, True])
def test_small_frames_that_inflate_to_much_fail_the_connection_unless_asked_for(asked: bool) -> None:
    size = 1 << 20

    async def body() -> None:
        pair = Pair.open(deflate=True, max_size=size)
        one = bombs(size)
        assert len(one) < 1100
        for _ in range(4 * SUSPICIOUS_PER_S // size):
            if asked and pair.client.state is State.OPEN:
                pair.client.send_now(b"go on", text=True)
            pair.arrive(one)
            await settle(pair)
        pair.lose()
        assert pair.client.end.kind == ("closed 1006" if asked else "compression bomb")

    on_loop(body)


def test_one_bomb_is_too_big() -> None:
    async def body() -> None:
        pair = Pair.open(deflate=True, max_size=1 << 20)
        pair.arrive(bombs(16 << 20))
        assert pair.closed_with == 1009
        pair.lose()
        assert pair.client.end.kind == "message too big"

    on_loop(body)


@pytest.mark.parametrize("ending", [b"\x83", b"\x88\x02\x03\xe8"], ids=["failed", "closed"])
def test_a_server_that_goes_on_and_on_after_the_end_is_dropped(ending: bytes) -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.arrive(ending)
        pair.arrive(bytes(MAX_DISCARDED))
        assert not pair.wire.closing
        pair.arrive(b"x")
        assert pair.wire.aborted.is_set()
        pair.lose()
        assert pair.client.end.kind == ("reserved opcode" if ending == b"\x83" else "closed 1000")

    on_loop(body)


def test_pongs_do_not_pile_up_for_a_server_that_does_not_read() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.client.pause_writing()
        for number in range(100):
            pair.arrive(frame(Opcode.PING, b"%d" % number))
        assert pair.wire.written == []
        pair.client.resume_writing()
        (pong,) = pair.heard()
        assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"99")

    on_loop(body)


def test_what_comes_slowly_enough_is_no_flood() -> None:
    guard, now = Guard(), 0
    for second in range(10):
        now = second * 1_000_000_000
        guard.check(now, idle=second * IDLE_PER_S, suspicious=second * SUSPICIOUS_PER_S)
    guard.check(now + 1, idle=10 * IDLE_PER_S, suspicious=0)
    with pytest.raises(Violation, match="control frame flood"):
        guard.check(now + 2, idle=12 * IDLE_PER_S, suspicious=0)
