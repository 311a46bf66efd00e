"""permessage-deflate, against the library's own extension at the other end."""

from __future__ import annotations

import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from wsload.load.ws.compat import compression
from wsload.load.ws.deflate import Deflate
from wsload.load.ws.rules import Rule, Violation

MIB = 1 << 20
SAMPLE = b"".join(b'{"type": "message", "text": "post %d"}' % number for number in range(600))
messages = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.builds(lambda start, size: SAMPLE[start:][:size], st.integers(0, 9_000), st.integers(0, 20_000)),
        st.integers(0, 100_000).map(bytes),
    ),
    max_size=6,
)


def deflate_of(extension: PerMessageDeflate) -> Deflate:
    agreed = compression([extension])
    assert agreed is not None
    return Deflate(agreed)


def sent(other: PerMessageDeflate, message: bytes) -> bytes:
    return bytes(other.encode(Frame(Opcode.BINARY, message)).data)


@given(
    messages=messages,
    fresh=st.tuples(st.booleans(), st.booleans()),
    bits=st.tuples(st.integers(9, 15), st.integers(9, 15)),
)
def test_what_is_deflated_the_library_inflates_and_the_other_way_round(
    messages: list[bytes], fresh: tuple[bool, bool], bits: tuple[int, int]
) -> None:
    ours = deflate_of(PerMessageDeflate(*fresh, *bits))
    other = PerMessageDeflate(*reversed(fresh), *reversed(bits))
    for message in messages:
        payload = bytes(ours.deflate(message))
        assert bytes(other.decode(Frame(Opcode.BINARY, payload, rsv1=True)).data) == message
        assert ours.inflate(sent(other, message), final=True, limit=len(message)) == message


@given(messages=messages, fresh=st.booleans(), cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=4))
def test_a_message_may_come_in_fragments(messages: list[bytes], fresh: bool, cuts: list[float]) -> None:
    ours = deflate_of(PerMessageDeflate(fresh, False, 15, 15))
    other = PerMessageDeflate(False, fresh, 15, 15)
    for message in messages:
        payload = sent(other, message)
        places = [0, *sorted(int(cut * len(payload)) for cut in cuts), len(payload)]
        parts = [payload[start:stop] for start, stop in itertools.pairwise(places)]
        found = [ours.inflate(part, final=False, limit=MIB) for part in parts[:-1]]
        assert b"".join([*found, ours.inflate(parts[-1], final=True, limit=MIB)]) == message


@pytest.mark.parametrize("size", [1, 100, 5_000, 300_000])
@pytest.mark.parametrize("over", [1, 2, 1_000, 1_000_000])
@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("fill", [b"\0", SAMPLE])
def test_a_message_is_not_inflated_beyond_its_limit(size: int, over: int, final: bool, fill: bytes) -> None:
    message = (fill * (1 + (size + over) // len(fill)))[: size + over]
    payload = sent(PerMessageDeflate(False, False, 15, 15), message)
    with pytest.raises(Violation) as raised:
        deflate_of(PerMessageDeflate(False, False, 15, 15)).inflate(payload, final=final, limit=size)
    assert raised.value.kind == Rule.TOO_BIG.value.kind
    found = deflate_of(PerMessageDeflate(False, False, 15, 15)).inflate(
        payload, final=True, limit=size + over
    )
    assert found == message


def test_what_is_not_deflated_breaks_a_rule() -> None:
    for final in (True, False):
        with pytest.raises(Violation) as raised:
            deflate_of(PerMessageDeflate(False, False, 15, 15)).inflate(b"\xff" * 9, final=final, limit=MIB)
        assert raised.value.kind == Rule.DEFLATE.value.kind


def test_a_message_may_end_with_a_last_block_and_the_next_is_a_new_stream() -> None:
    ours = deflate_of(PerMessageDeflate(False, False, 15, 15))
    for message in (b"Hello", SAMPLE, b"Hello"):
        packer = zlib.compressobj(wbits=-15)
        payload = packer.compress(message) + packer.flush() + b"\0"
        assert ours.inflate(payload, final=True, limit=MIB) == message


def test_the_example_of_the_rfc() -> None:
    """Section 7.2.3.4."""
    payload = bytes.fromhex("f348cdc9c9070000")
    ours = deflate_of(PerMessageDeflate(False, False, 15, 15))
    assert [ours.inflate(payload, final=True, limit=MIB) for _ in range(2)] == [b"Hello"] * 2


def test_messages_share_their_context_unless_each_begins_anew() -> None:
    shared = deflate_of(PerMessageDeflate(False, False, 15, 15))
    first, second = (len(shared.deflate(SAMPLE)) for _ in range(2))
    assert second < first / 4
    anew = deflate_of(PerMessageDeflate(False, True, 15, 15))
    assert [len(anew.deflate(SAMPLE)) for _ in range(2)] == [first, first]
