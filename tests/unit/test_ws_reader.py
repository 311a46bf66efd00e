"""The reader of frames, against a parser written from the RFC; what it costs in time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable

import pytest
from conversations import cuts, streams
from hypothesis import given, settings
from pair import MAX_SIZE, chunks, frame
from support.rfc6455 import Understood, understand
from websockets.frames import Opcode

from wsload.load.ws.frames import CLOSE, PING, TEXT
from wsload.load.ws.reader import Reader, parse_close
from wsload.load.ws.rules import MAX_FRAGMENTS, MIN_FRAGMENT, Rule, Violation


def read(stream: Iterable[bytes], limit: int = MAX_SIZE) -> Understood:
    """What wsload's reader makes of a stream that comes in these chunks."""
    reader, said = Reader(limit), Understood()
    try:
        for chunk in stream:
            reader.feed(chunk)
            while (found := reader.next()) is not None:
                first, payload = found
                if first == CLOSE:
                    said.closed = parse_close(payload)
                    said.amid = True
                    return said
                if first == PING:
                    said.pings.append(payload)
                elif first & 8:
                    said.pongs.append(payload)
                else:
                    said.messages.append((first & 15, payload))
    except Violation as violation:
        said.broken.add(violation.kind)
        said.amid = True
        return said
    said.amid = reader.amid_frame
    return said


@settings(max_examples=1500)
@given(streams, cuts)
def test_it_reads_what_the_rfc_says_however_the_stream_is_cut(stream: bytes, places: Iterable[int]) -> None:
    ours, theirs = read(chunks(stream, places)), understand(stream, MAX_SIZE)
    assert ours.messages == theirs.messages
    assert ours.pings == theirs.pings
    assert ours.pongs == theirs.pongs
    assert ours.closed == theirs.closed
    assert ours.amid == theirs.amid
    assert ours.broken <= theirs.broken and bool(ours.broken) == bool(theirs.broken)


def test_every_rule_has_a_name_of_its_own_and_says_what_it_is() -> None:
    names = [rule.value.kind for rule in Rule]
    assert len(set(names)) == len(names)
    for rule in Rule:
        violation = Violation(rule, "this")
        assert violation.detail.startswith("this: ") and violation.code in (1002, 1007, 1008, 1009, 1011)
        assert len(violation.kind) <= 25 and "\n" not in violation.detail


@pytest.mark.parametrize("fragment", [0, 1, MIN_FRAGMENT])
def test_a_message_has_no_endless_fragments_unless_they_carry_something(fragment: int) -> None:
    number = MAX_FRAGMENTS + 100
    part = frame(Opcode.CONT, b"x" * fragment, fin=False)
    stream = [frame(Opcode.TEXT, b"", fin=False), *[part] * number, frame(Opcode.CONT, b"")]
    said = read(stream, limit=1 << 30)
    if fragment < MIN_FRAGMENT:
        assert said.broken == {"too many fragments"}
    else:
        assert said.messages == [(1, b"x" * fragment * number)]


BIG = 32 << 20


def arriving(size: int) -> Iterable[bytes]:
    """A text frame of this size, in chunks as they come from the network, made one by one."""
    yield b"\x81\x7f" + size.to_bytes(8, "big")
    for _ in range(size >> 16):
        yield bytes(bytearray(b"x" * (1 << 16)))


def test_a_large_message_is_kept_once() -> None:
    tracemalloc.start()
    try:
        said = read(arriving(BIG), limit=BIG)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(said.messages[0][1]) == BIG
    assert peak < 1.25 * BIG


def test_a_large_message_takes_linear_time() -> None:
    def cost(size: int) -> float:
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            read(arriving(size), limit=size)
            best = min(best, time.process_time() - began)
        return best

    cost(1 << 20)
    assert cost(BIG) < 8 * cost(BIG >> 2) + 0.05


def test_text_is_judged_without_a_second_copy_of_it() -> None:
    data = "é".encode() * (1 << 20)
    stream = [b"\x81\x7f" + len(data).to_bytes(8, "big"), data]
    assert read(stream, limit=len(data)).messages == [(TEXT & 15, data)]
    stream[1] = data[:-1] + b"("
    assert read(stream, limit=len(data)).broken == {"invalid UTF-8"}
