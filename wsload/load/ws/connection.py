"""A client's open WebSocket connection, which timestamps every arrival.

The library judges the opening handshake (`Handshake`); wsload does the framing and the compression. This file is the
fast path: a whole text frame goes from ``data_received`` straight to the sink, and a send straight to the transport.
`Incoming` reads everything else. `wsload.load.ws.states` is the connection's state machine.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from wsload.errors import NotConnected
from wsload.load.engine.timers import DelayQueue, Timer
from wsload.load.ws import frames
from wsload.load.ws.compat import apply_mask
from wsload.load.ws.deflate import Deflate
from wsload.load.ws.end import End, Ending, Sink
from wsload.load.ws.frames import LARGE, SHORT_TEXT, TEXT, client_frame, close_payload
from wsload.load.ws.incoming import Incoming
from wsload.load.ws.reader import Reader, parse_close
from wsload.load.ws.rules import Rule, Violation
from wsload.load.ws.states import TABLE, Event, State
from wsload.load.ws.writing import Writer, release, wait_in
from wsload.measure.lateness import BEAT_NS
from wsload.measure.names import NOT_CONNECTED
from wsload.measure.recorder import Recorder

_now_ns = time.monotonic_ns
_bits = random.getrandbits
_OPEN = State.OPEN


class TimedConnection(asyncio.Protocol):
    """A connection that timestamps what arrives and passes it to a `Sink`.

    It starts open: `Upgrade` creates it when the handshake is done. Messages that arrive before `attach` are kept.
    ``made_ns`` and ``response_ns`` are the monotonic times at which the transport was ready (after TLS) and the
    answer to the upgrade was complete.

    The recorder's ``bytes_in`` and ``bytes_out`` count the bytes on the wire after the opening handshake: all
    frames with their headers, compressed if they were, but without the overhead of TLS.
    """

    __slots__ = ("__weakref__", "_close_timeouts", "_closers", "_deflate", "_direct", "_ending", "_limit",
                 "_loop", "_ping_sent_ns", "_recorder", "_sink", "_state", "_timer", "_writer", "incoming",
                 "made_ns", "next_ping", "pong_due", "response_ns", "subprotocol", "transport")  # fmt: skip

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        recorder: Recorder,
        close_timeouts: DelayQueue,
        limit: int = 1 << 20,
        deflate: Deflate | None = None,
        subprotocol: str | None = None,
        made_ns: int = 0,
        response_ns: int = 0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport = transport
        self.subprotocol = subprotocol
        self.made_ns = made_ns
        self.response_ns = response_ns
        self._recorder = recorder
        self._limit = limit
        self._close_timeouts = close_timeouts
        self._state = State.OPEN
        self._ending = Ending()
        self._deflate = deflate
        self._writer = Writer(recorder, transport)
        self.incoming = Incoming(self, Reader(limit, deflate), recorder=recorder, loop=self._loop)
        self._sink: Sink | None = None
        self._direct: Callable[[bytes, bool, int], None] | None = None
        self._closers: list[asyncio.Future[None]] = []
        self._timer: Timer | None = None
        self._ping_sent_ns = 0
        self.next_ping: Timer | None = None
        self.pong_due: Timer | None = None

    def attach(self, sink: Sink) -> None:
        """Starts to feed the sink, first with what has arrived since the handshake (perhaps even the end)."""
        self._sink = sink
        self.incoming.attach(sink.receive_message)
        if self._state is State.CLOSED:
            self._tell_end()
        elif not self.incoming.deferred:
            self.caught_up()

    # Sending

    def send_now(self, data: bytes, *, text: bool) -> None:
        """Writes one message, without waiting for buffer space. Raises `NotConnected`; `UsageError` for no message."""
        if self._state is not _OPEN:
            raise NotConnected(NOT_CONNECTED, "the connection is not open")
        count = self._recorder.count
        try:
            size = len(data)
            if self._deflate is not None or size >= LARGE:
                self._send_slowly(TEXT if text else frames.BINARY, data)
                count.sent += 1
                return
            if text and size < 126:
                mask = _bits(32).to_bytes(4, "big")
                frame = SHORT_TEXT[size] + mask + apply_mask(data, mask)
            else:
                frame = client_frame(data, text=text)
        except TypeError:
            frames.refuse_unless_message(data)
            raise
        count.sent += 1
        count.bytes_out += len(frame)
        self.transport.write(frame)

    def _send_slowly(self, first: int, data: bytes) -> None:
        if self._deflate is None:
            self._writer.write(first, data)
            return
        self._writer.write(first | frames.RSV1, self._deflate.deflate(data))
        self.incoming.allowance += self._limit

    @property
    def writable(self) -> bool:
        """Whether the transport's buffer is below its high-water mark."""
        return not self._writer.paused

    async def ready_to_write(self) -> None:
        """Waits until the transport's buffer has room, or the connection is gone."""
        await self._writer.ready()

    def ping_now(self) -> bool:
        """Sends a ping, to be recorded as ``ping`` when its pong arrives; returns False if one is outstanding."""
        if self._state is not _OPEN or self._ping_sent_ns:
            return False
        self._ping_sent_ns = _now_ns()
        self._writer.write(frames.PING, self._ping_sent_ns.to_bytes(8, "big"))
        if (written_ns := _now_ns()) - self._ping_sent_ns > BEAT_NS:
            self._recorder.lateness.wrote(self._ping_sent_ns, written_ns)
        return True

    def pong_overdue(self) -> None:
        """Fails the connection with 1011, because the pong did not come in time."""
        if self._state is _OPEN:
            self.fail(Violation(Rule.PING))

    # Ending

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Performs the closing handshake; returns once the connection is gone, within the close timeout.

        Raises `UsageError` for a code or reason that is not allowed in a close frame.
        """
        payload = close_payload(code, reason)
        if self._state is _OPEN:
            self._send_close(code, payload)
            self._move(Event.CLOSE_SENT)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is gone."""
        if self._state is not State.CLOSED:
            await wait_in(self._closers)

    def abort(self) -> None:
        """Drops the connection without a closing handshake."""
        self._drop("aborted")

    def fail(self, violation: Violation) -> None:
        """Fails the connection because the server broke a rule (RFC 6455 section 7.1.7)."""
        if self._ending.violation is None:
            self._ending.violation = violation
        if self._state is _OPEN:
            self._send_close(violation.code, close_payload(violation.code, violation.kind))
        self._move(Event.FAILED)

    @property
    def end(self) -> End:
        """How it ended, once it is gone."""
        return self._ending.end()

    @property
    def state(self) -> State:
        """Where the connection is in its life."""
        return self._state

    def _send_close(self, code: int, payload: bytes) -> None:
        self._ending.sent = code
        self._writer.write(frames.CLOSE, payload)

    def _move(self, event: Event) -> None:
        before, self._direct = self._state, None
        self._state = state = TABLE.get((before, event), before)
        if state is before or state is State.CLOSED:
            return
        if state in (State.ENDING, State.GONE):
            self._ending.amid_frame = self.incoming.stop()
        if state is State.GONE:
            self._loop.call_soon(self._gone)
        # A server that does not close the TCP connection, as it should, would keep it half-closed forever.
        elif self._timer is None:
            self._timer = self._close_timeouts.add(self._drop, "close timeout", source=self.incoming)

    def _drop(self, why: str) -> None:
        if self._state is not State.CLOSED:
            self._ending.dropped = self._ending.dropped or why
            self._move(Event.FAILED)
            self.transport.abort()

    # Called by the transport

    def data_received(self, data: bytes) -> None:
        at_ns = _now_ns()
        if at_ns > self._recorder.lateness.due_ns:
            self._recorder.lateness.look(at_ns)
        count = self._recorder.count
        size = len(data)
        count.bytes_in += size
        receive = self._direct
        if receive is not None and size > 1 and data[0] == TEXT:
            # Nothing is pending, so most likely this is one whole message.
            length = data[1]
            message = b""
            if length < 126:
                message = data[2:]
            elif length == 126 and size > 3:
                length = data[2] << 8 | data[3]
                message = data[4:]
            if length == len(message) and message.isascii():
                count.received += 1
                try:
                    receive(message, True, at_ns)
                except Exception as error:
                    self.incoming.report(error)
                return
        self._direct = None
        self.incoming.receive(data, at_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending.error = exc
        if self.incoming.deferred:
            self._move(Event.HUNG_UP)
        else:
            self._gone()

    def pause_writing(self) -> None:
        self._writer.paused = True

    def resume_writing(self) -> None:
        self._writer.resume()

    # Called by `Incoming`

    def control(self, first: int, payload: bytes, at_ns: int) -> None:
        """Handles a control frame. Raises `Violation`."""
        if first == frames.PING:
            self._writer.pong(payload)
        elif first == frames.CLOSE:
            self._ending.received = code, _ = parse_close(payload)
            if self._state is _OPEN:
                self._ending.server_first = True
                self._send_close(code, payload)
            self._move(Event.CLOSE_RECEIVED)
        elif self._ping_sent_ns and payload == self._ping_sent_ns.to_bytes(8, "big"):
            self._recorder.arrived("ping", self._ping_sent_ns, at_ns)
            self._ping_sent_ns = 0
            if self.pong_due is not None:
                self.pong_due.cancel()

    def caught_up(self) -> None:
        """Everything that has arrived was read."""
        if self._state is State.UNREAD:
            self._gone()
            return
        direct = self._state is _OPEN and self._sink is not None and self._limit >= 1 << 16
        if direct and self.incoming.between_messages:
            self._direct = self._sink.receive_message  # type: ignore[union-attr]

    def _gone(self) -> None:
        if self._state not in (State.ENDING, State.GONE):
            self._ending.amid_frame = self.incoming.stop()
        self._move(Event.LOST)
        for timer in (self._timer, self.next_ping, self.pong_due):
            if timer is not None:
                timer.cancel()
        self._writer.release()
        release(self._closers)
        self._recorder.closed(self.end.counted)
        self._tell_end()

    def _tell_end(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            # Breaks the reference cycle, since the garbage collector runs rarely.
            del self.incoming
            end = self.end
            sink.receive_close(end.code, end.reason)
