"""How connections end: the table of states, and what `End` says of each end, over real sockets too."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest
from opening_client import Client, run, served_tcp
from pair import Pair, frame, on_loop
from support.autobahn import upgrade
from websockets.frames import Close, Opcode

from wsload.errors import UsageError
from wsload.load.ws.end import End
from wsload.load.ws.states import TABLE, Event, State

CLOSE_1000 = frame(Opcode.CLOSE, Close(1000, "bye").serialize())


# The table, walked through by a connection


LATER = frame(Opcode.TEXT, b"x") * 1000
"""More than is read in one iteration of the loop."""
LAST = {Event.CLOSE_RECEIVED: CLOSE_1000, Event.FAILED: b"\x83"}
"""What the server sent last, for what is read when the TCP connection is gone."""


async def bring(pair: Pair, state: State, last: bytes) -> None:
    """Brings an open connection into this state; what it has not read yet ends with ``last``."""
    if state is State.CLOSING:
        await make(pair, Event.CLOSE_SENT)
    elif state is State.UNREAD:
        await make(pair, Event.HUNG_UP, last)
    elif state is State.ENDING:
        await make(pair, Event.CLOSE_RECEIVED)
    elif state is State.GONE:
        await make(pair, Event.HUNG_UP, CLOSE_1000)
        await until_read(pair)
    elif state is State.CLOSED:
        await make(pair, Event.LOST)


async def until_read(pair: Pair) -> None:
    """Waits until everything was read."""
    for _ in range(len(LATER)):
        if pair.client.state is not State.UNREAD:
            return
        await asyncio.sleep(0)
    pytest.fail("it is never read")


async def make(pair: Pair, event: Event, last: bytes = b"") -> None:
    """Makes this happen to the connection."""
    there = pair.wire.protocol is not None
    if event is Event.CLOSE_SENT:
        closing = pair.client.close(4000)
        with contextlib.suppress(StopIteration):
            closing.send(None)
        closing.close()
    elif event is Event.HUNG_UP:
        pair.arrive(LATER + last)
        pair.lose()
    elif event is Event.LOST and there:
        pair.lose()
    elif event in LAST and there:
        pair.arrive(LAST[event])
    elif event is Event.LOST and pair.client.state is State.GONE:
        await asyncio.sleep(0)
    else:
        await until_read(pair)


# In other states nothing is left to be read when the TCP connection is gone, or nobody would read it.
PAIRS = [
    (state, event)
    for state in State
    for event in Event
    if event is not Event.HUNG_UP or state in (State.OPEN, State.CLOSING)
]


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_event_in_every_state(state: State, event: Event) -> None:

    async def body() -> None:
        pair = Pair.open()
        await bring(pair, state, LAST.get(event, b""))
        assert pair.client.state is state
        written = len(pair.wire.written)
        await make(pair, event)
        assert pair.client.state is TABLE.get((state, event), state)
        if (state, event) not in TABLE or event is Event.LOST or state is not State.OPEN:
            assert len(pair.wire.written) == written, "only who is open sends a close frame"
        if pair.client.state is State.CLOSED:
            assert len(pair.listener.closes) == 1
            await pair.client.wait_closed()

    on_loop(body)


def test_the_table_has_no_way_back() -> None:
    order = list(State)
    assert all(order.index(target) > order.index(state) for (state, _), target in TABLE.items())
    assert all(TABLE[state, Event.LOST] is State.CLOSED for state in State if state is not State.CLOSED)


# What is said of the end


def test_a_code_or_reason_that_no_frame_may_have_is_refused() -> None:
    async def body() -> None:
        pair = Pair.open()
        for code, reason in ((1005, ""), (1006, ""), (999, ""), (5000, ""), (1000, "é" * 62)):
            with pytest.raises(UsageError, match="can't close with code"):
                await pair.client.close(code, reason)
        assert pair.client.state is State.OPEN and pair.wire.written == []

    on_loop(body)


def test_it_knows_who_began() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.arrive(CLOSE_1000)
        pair.lose()
        end = pair.client.end
        assert end == End(
            code=1000,
            reason="bye",
            who="server",
            kind="closed 1000",
            detail="the server closed with 1000: bye",
            counted=1000,
        )
        assert pair.closed_with == 1000, "the code is sent back"

    on_loop(body)


def test_a_close_that_nobody_answers_is_a_timeout() -> None:
    async def body() -> None:
        pair = Pair.open(close_timeout=0.01)
        closing = asyncio.ensure_future(pair.client.close(4000, "enough"))
        await pair.wire.aborted.wait()
        pair.lose()
        await closing
        end = pair.client.end
        assert (end.code, end.kind, end.who, end.counted) == (
            1006,
            "close timeout",
            "client",
            1006,
        )
        assert "4000 was sent and not answered" in end.detail

    on_loop(body)


def test_an_abort_is_this_side_s() -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.client.abort()
        pair.client.abort()
        pair.lose()
        assert (pair.client.end.kind, pair.client.end.who) == ("aborted", "client")

    on_loop(body)


@pytest.mark.parametrize(
    ("error", "kind", "who"),
    [
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "reset", "server"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "reset", "server"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "connection lost", "nobody"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "connection lost", "nobody"),
    ],
)
def test_what_the_network_did_is_told(error: Exception, kind: str, who: str) -> None:
    async def body() -> None:
        pair = Pair.open()
        pair.lose(error)
        end = pair.client.end
        assert (end.code, end.kind, end.who) == (1006, kind, who)

    on_loop(body)


# Over real sockets

Then = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def ended(then: Then) -> End:
    """How a connection ends whose server upgrades it and then does this."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await then(reader, writer)

    async with served_tcp(handle) as port:
        connection = await Client(close_timeout_s=2).open(f"ws://127.0.0.1:{port}/")
        connection.attach(Nobody())
        await connection.wait_closed()
        return connection.end


class Nobody:
    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        pass

    def receive_close(self, code: int, reason: str) -> None:
        pass


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the TCP connection by RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


ENDS: dict[str, tuple[bytes, bool, str, str]] = {
    "FIN": (b"", False, "closed 1006", "FIN without a close frame"),
    "FIN after a message": (frame(Opcode.TEXT, b"hi"), False, "closed 1006", "FIN without a close frame"),
    "FIN in the middle of a frame": (b"\x81\x05he", False, "cut off", "FIN in the middle of a frame"),
    "FIN amid a message": (
        frame(Opcode.TEXT, b"he", fin=False),
        False,
        "cut off",
        "FIN in the middle of a frame",
    ),
    "FIN amid a head": (b"\x81\x7e\x01", False, "cut off", "FIN in the middle of a frame"),
    "RST": (b"", True, "reset", "RST"),
    "RST in the middle of a frame": (b"\x81\x05he", True, "reset", "RST in the middle of a frame"),
    "in order": (CLOSE_1000, False, "closed 1000", "the server closed with 1000: bye"),
    "without a code": (frame(Opcode.CLOSE, b""), False, "closed 1005", "the server closed with no code"),
}


@pytest.mark.parametrize("how", ENDS)
def test_fin_and_reset_and_a_cut_frame_are_told_apart(how: str) -> None:
    data, by_reset, kind, detail = ENDS[how]

    async def then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if by_reset:
            await asyncio.sleep(0.05)  # what was written is read first: a reset may overtake it
            reset(writer)

    async def body() -> None:
        end = await ended(then)
        assert (end.kind, end.who) == (kind, "server")
        assert end.detail.startswith(detail)
        assert end.code == end.counted == (int(kind.split()[1]) if kind.startswith("closed") else 1006)

    run(body)
