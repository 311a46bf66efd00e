"""The connection: the library's `ClientConnection`, with a stamp on everything that arrives.

Passed to ``websockets.asyncio.client.connect`` as ``create_connection``, its documented seam. What
is on every message's path is done here: whole, unfragmented text and binary frames go from
``data_received`` straight to the sink, and sends go straight to the transport. All else (the
handshake, control frames, fragments, extensions, failing and closing the connection) stays the
library's; it is always fed whole frames, so its parser and ours never disagree about where the
stream stands.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Event

from wsload.errors import NotConnected
from wsload.load.engine.timers import Timer
from wsload.load.ws.end import End, Sink, end_of
from wsload.load.ws.frames import BINARY, TEXT, client_frame
from wsload.load.ws.lean import shed_cycles, shed_extras, shed_queue
from wsload.measure.recorder import Recorder

_now_ns = time.monotonic_ns


class TimedConnection(ClientConnection):
    """A client connection that stamps what arrives and hands it to a `Sink`.

    What arrives before `attach` is kept with its stamps. ``made_ns``, ``response_ns``: monotonic
    times of the transport's readiness (after TLS) and of the complete response to the upgrade.
    """

    # Beside the library's own: an object of more than 30 attributes gets a dict of 1.3 KiB.
    __slots__ = ("_at_ns", "_closing", "_early", "_fragments", "_fragments_text", "_framing", "_limit",
                 "_partial", "_ping_sent_ns", "_recorder", "_sink", "made_ns", "next_ping", "pong_due",
                 "response_ns")  # fmt: skip

    def __init__(self, protocol: ClientProtocol, *, recorder: Recorder, **settings: Any) -> None:
        super().__init__(protocol, **settings)
        shed_extras(self)
        self._recorder = recorder
        self._limit = protocol.max_message_size or sys.maxsize
        self._framing = False
        self._sink: Sink | None = None
        self._early: list[tuple[bytes, bool, int]] = []
        self._partial = b""
        self._fragments: list[bytes] = []
        self._fragments_text = False
        self._closing: asyncio.TimerHandle | None = None
        self._at_ns = self._ping_sent_ns = 0
        self.next_ping: Timer | None = None
        self.pong_due: Timer | None = None
        self.made_ns = self.response_ns = 0

    def attach(self, sink: Sink) -> None:
        """From now on the sink is told: first what arrived since the handshake, and a close if any.

        The headers of request and response are forgotten: 4 KiB a connection.
        """
        self._sink = sink
        for message in (self.request, self.response):
            if message is not None:
                message.headers.clear()
        early, self._early = self._early, []
        for data, text, at_ns in early:
            sink.receive_message(data, text, at_ns)
        if self.connection_lost_waiter.done():
            sink.receive_close(self._code, self.close_reason or "")

    # Sending

    def send_now(self, data: bytes, *, text: bool) -> None:
        """Writes one message to the transport, without waiting for room: see `ready_to_write`.

        Raises `NotConnected` when the connection is not open; nothing was sent then.
        """
        protocol = self.protocol
        if protocol.state is not OPEN:
            raise NotConnected("not connected", "the connection is not open")
        count = self._recorder.count
        count.sent += 1
        if protocol.extensions:
            (protocol.send_text if text else protocol.send_binary)(data)
            self.send_data()
            count.bytes_out += len(data)
            return
        frame = client_frame(data, text=text)
        count.bytes_out += len(frame)
        self.transport.write(frame)

    @property
    def writable(self) -> bool:
        """Whether the transport's buffer is below its high-water mark."""
        return not self.paused

    async def ready_to_write(self) -> None:
        """Returns once the transport's buffer has room again."""
        await self.drain()

    @property
    def buffered_bytes(self) -> int:
        """What was sent and is not yet handed to the kernel: the browser's ``bufferedAmount``."""
        return int(self.transport.get_write_buffer_size())

    def ping_now(self) -> bool:
        """Sends a ping, to be recorded as ``ping`` when its pong arrives; False while one is unanswered."""
        if self.protocol.state is not OPEN or self._ping_sent_ns:
            return False
        now = self._ping_sent_ns = _now_ns()
        self.protocol.send_ping(now.to_bytes(8, "big"))
        self.send_data()
        return True

    def pong_overdue(self) -> None:
        """Fails the connection with 1011, as the library's own keepalive does."""
        if self.protocol.state is OPEN:
            self._fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")

    def abort(self) -> None:
        """Drops the connection without a closing handshake."""
        self.transport.abort()

    # Receiving: callbacks of asyncio.Protocol and of the library

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made_ns = _now_ns()
        super().connection_made(transport)
        shed_queue(self)

    def data_received(self, data: bytes) -> None:
        self._at_ns = _now_ns()
        self._recorder.count.bytes_in += len(data)
        if self._framing:
            self._receive_frames(self._partial + data if self._partial else data)
        elif self.response is None:
            self._receive_response(data)
        else:
            self._feed(data)

    def _receive_response(self, data: bytes) -> None:
        # Only the response's head goes to the library with this chunk, so that frames behind it
        # come through our own parser like all others.
        tail = self._partial
        end = (tail + data).find(b"\r\n\r\n")
        if end < 0:
            self._partial = (tail + data)[-3:]
            super().data_received(data)
            return
        self._partial = b""
        head = end + 4 - len(tail)
        super().data_received(data[:head])
        # From here on frames are cut out here, until the closing begins.
        self._framing = self.protocol.state is OPEN
        if len(data) == head:
            return
        if self._framing:
            self._receive_frames(data[head:])
        else:
            super().data_received(data[head:])

    def _receive_frames(self, data: bytes) -> None:
        sink, count, at_ns = self._sink, self._recorder.count, self._at_ns
        position, end = 0, len(data)
        while end - position >= 2:
            if not self._framing:
                self._hand_over(data[position:])
                return
            head, length = data[position], data[position + 1]
            start = position + 2
            if length > 125:
                if length > 127:  # masked, which no server may do
                    self._hand_over(data[position:])
                    return
                size = 2 if length == 126 else 8
                if end - start < size:
                    break
                length = int.from_bytes(data[start : start + size], "big")
                start += size
            stop = start + length
            if length > self._limit:
                self._hand_over(data[position:])
                return
            if stop > end:
                break
            if (head == TEXT or head == BINARY) and not self._fragments:
                message = data[start:stop]
                if sink is not None and head == TEXT and message.isascii():
                    # Most of what comes: `_deliver` without the call.
                    count.received += 1
                    sink.receive_message(message, True, at_ns)
                else:
                    self._deliver(message, head == TEXT)
            else:
                self._feed(data[position:stop])
            position = stop
        self._partial = data[position:]

    def _hand_over(self, data: bytes) -> None:
        # All of it: the library fails the connection by the first frame's head, or has closed it.
        self._partial = b""
        self._framing = False
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.close_expected():
            # Which frames still count, and which are passed over, the library knows.
            self._framing = False
            self._limit_closing()

    def process_event(self, event: Event) -> None:
        if self.response is None:
            self.response_ns = self._at_ns
            super().process_event(event)
            return
        assert isinstance(event, Frame)
        opcode = event.opcode
        if opcode is Opcode.PONG:
            self._receive_pong(bytes(event.data))
        elif opcode is Opcode.CONT or not event.fin:
            if opcode is not Opcode.CONT:
                self._fragments_text = opcode is Opcode.TEXT
            self._fragments.append(bytes(event.data))
            if event.fin:
                whole = b"".join(self._fragments)
                self._fragments.clear()
                self._deliver(whole, self._fragments_text)
        elif opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._deliver(bytes(event.data), opcode is Opcode.TEXT)

    def _deliver(self, data: bytes, text: bool) -> None:
        if text and not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                # RFC 6455 section 8.1: text that is not UTF-8 fails the connection.
                self._recorder.failed("message", "invalid UTF-8")
                self._fail(CloseCode.INVALID_DATA, "invalid UTF-8")
                return
        self._recorder.count.received += 1
        if self._sink is None:
            self._early.append((data, text, self._at_ns))
        else:
            self._sink.receive_message(data, text, self._at_ns)

    def _receive_pong(self, payload: bytes) -> None:
        if self._ping_sent_ns and payload == self._ping_sent_ns.to_bytes(8, "big"):
            self._recorder.values["ping"].append(self._at_ns - self._ping_sent_ns)
            self._ping_sent_ns = 0
            if self.pong_due is not None:
                self.pong_due.cancel()

    def _fail(self, code: CloseCode, reason: str) -> None:
        self._framing = False
        self.protocol.fail(code, reason)
        self.send_data()
        self._limit_closing()

    def _limit_closing(self) -> None:
        # A server that does not hang up, as it should, would keep the connection half-closed for ever.
        if self._closing is None:
            self._closing = self.loop.call_later(self.close_timeout or 10, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        shed_cycles(self)
        for timer in (self._closing, self.next_ping, self.pong_due):
            if timer is not None:
                timer.cancel()
        if self.response is not None and self.protocol.handshake_exc is None:
            self._recorder.closed(self._code)
        if self._sink is not None:
            self._sink.receive_close(self._code, self.close_reason or "")

    @property
    def end(self) -> End:
        """How it ended, once it is gone."""
        return end_of(self.protocol)

    @property
    def end_kind(self) -> str:
        return self.end.kind

    @property
    def _code(self) -> int:
        return int(self.close_code or CloseCode.ABNORMAL_CLOSURE)
