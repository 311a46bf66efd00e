"""Reads a connection's frames within a budget per iteration of the loop, so that it can't starve the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from wsload.load.ws.frames import BINARY, TEXT
from wsload.load.ws.limits import (
    IDLE_PER_S,
    MAX_DISCARDED,
    MAX_EARLY,
    PER_TURN,
    SUSPICIOUS_PER_S,
    Guard,
    cost,
)
from wsload.load.ws.reader import Reader
from wsload.load.ws.rules import Violation
from wsload.measure.recorder import Recorder

Message = tuple[bytes, bool, int]
_NONE: Final[list[Message]] = []
"""Every attached connection's early messages: there are none, and none will be added."""
Receive = Callable[[bytes, bool, int], object]
"""Takes a message, whether it is text, and the monotonic time in ns at which it arrived."""


class Owner(Protocol):
    """The connection whose frames are read."""

    transport: asyncio.Transport

    def control(self, first: int, payload: bytes, at_ns: int) -> None:
        """Handles a control frame. Raises `Violation`."""

    def fail(self, violation: Violation) -> None:
        """The server broke a rule; nothing more is read."""

    def caught_up(self) -> None:
        """Everything that has arrived was read."""


class Incoming:
    """Reads frames in order, as far as the budget of this iteration goes.

    The rest is read in the next iterations, with its original time of arrival; until then the socket is paused.
    Messages are kept until `attach`.
    """

    __slots__ = ("_at_ns", "_discarded", "_early", "_guard", "_held_ns", "_loop", "_owner", "_reader",
                 "_receive", "_recorder", "_since_ns", "allowance", "deferred")  # fmt: skip

    def __init__(
        self, owner: Owner, reader: Reader, *, recorder: Recorder, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._owner = owner
        self._reader: Reader | None = reader
        self._recorder = recorder
        self._loop = loop
        self._early: list[Message] = []
        self._receive: Receive | None = None
        self._guard: Guard | None = None
        self._at_ns = self._discarded = 0
        self._held_ns = 0
        """Since when the socket is paused; 0 if it is not."""
        self._since_ns = 0
        """The data being read may have waited in the socket since this time."""
        self.allowance = 0
        """Inflated bytes that this connection is allowed in addition to `SUSPICIOUS_PER_S`."""
        self.deferred = False
        """Whether something is left for a later iteration."""

    @property
    def between_messages(self) -> bool:
        """Whether everything was read, and the next byte starts a message."""
        return self._reader is not None and not self.deferred and not self._reader.amid_frame

    def unread(self, since_ns: int) -> bool:
        """Whether something that had arrived by then is still to be read."""
        return self.deferred and self._held_ns <= since_ns

    def attach(self, receive: Receive) -> None:
        """Passes on the messages that were kept, and from now on every message as it arrives."""
        self._receive = receive
        early, self._early = self._early, _NONE
        for data, text, at_ns in early:
            self._hand(receive, data, text, at_ns)
        if len(early) >= MAX_EARLY and not self.deferred:
            self._resume()

    def receive(self, data: bytes, at_ns: int) -> None:
        """Takes more bytes, which arrived at this time."""
        if self._reader is None:
            self._discard(len(data))
            return
        self._at_ns = at_ns
        # What is left for a later iteration has arrived by now too: later beats say nothing about it.
        self._since_ns = min(self._held_ns or at_ns, self._recorder.lateness.due_ns)
        self._reader.feed(data)
        if not self.deferred:
            self._held_ns = 0
            self._read()

    def stop(self) -> bool:
        """Discards the rest and what still comes; returns whether reading stopped in the middle of a frame."""
        amid_frame = self._reader is not None and self._reader.amid_frame
        self._reader = None
        if self.deferred:
            self.deferred = False
            self._resume()
        return amid_frame

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > MAX_DISCARDED and not self._owner.transport.is_closing():
            self._owner.transport.abort()

    def _read(self) -> None:
        reader = self._reader
        if reader is None:
            return
        lateness = self._recorder.lateness
        due_ns = lateness.backdate(self._since_ns)
        try:
            more = self._read_some(reader)
            self._check(reader)
        except Violation as violation:
            self._owner.fail(violation)
            return
        finally:
            lateness.restore(due_ns)
        if self._reader is None:
            return
        if more:
            if not self.deferred and not self._owner.transport.is_closing():
                self._owner.transport.pause_reading()
                self._held_ns = self._at_ns
            self.deferred = True
            self._loop.call_soon(self._read)
            return
        if self.deferred:
            self.deferred = False
            self._resume()
        self._owner.caught_up()

    def _read_some(self, reader: Reader) -> bool:
        """Reads until the data or the budget is used up; returns whether it was the budget."""
        left = PER_TURN
        while left > 0:
            rest = reader.take()
            if rest is not None:
                data, at = rest
                at, left = self._read_whole(reader, data, at, left)
                reader.give_back(at)
                if self._reader is None:
                    return False
                if not left:
                    continue
            found = reader.next()
            if found is None:
                return False
            first, payload = found
            left -= cost(len(payload))
            if first == TEXT or first == BINARY:
                self._recorder.count.received += 1
                self._hand(self._receive, payload, first == TEXT, self._at_ns)
            else:
                self._owner.control(first, payload, self._at_ns)
            if self._reader is None:
                return False
        return True

    def _read_whole(self, reader: Reader, data: bytes, at: int, left: int) -> tuple[int, int]:
        """The fast path for whole messages in ASCII, the most common.

        Returns how far it read, and the rest of the budget.
        """
        receive, at_ns, size, limit = self._receive, self._at_ns, len(data), reader.limit
        count = self._recorder.count
        if receive is None:
            return at, left
        while left > 0 and size - at > 1 and data[at] == TEXT:
            length, start = data[at + 1], at + 2
            if length > 125:
                if length != 126 or size - at < 4:
                    break
                length, start = data[at + 2] << 8 | data[at + 3], at + 4
            stop = start + length
            if stop > size or length > limit:
                break
            message = data[start:stop]
            if not message.isascii():
                break
            at = stop
            left -= 1
            count.received += 1
            try:
                receive(message, True, at_ns)
            except Exception as error:
                self.report(error)
            if self._reader is None:
                break
        return at, left

    def _hand(self, receive: Receive | None, data: bytes, text: bool, at_ns: int) -> None:
        if receive is None:
            self._keep(data, text, at_ns)
            return
        try:
            receive(data, text, at_ns)
        except Exception as error:
            self.report(error)

    def report(self, error: Exception) -> None:
        """Reports an exception of a message's receiver. It is not the server's fault, so the connection stays open."""
        self._loop.call_exception_handler({"message": "a message's receiver failed", "exception": error})

    def _keep(self, data: bytes, text: bool, at_ns: int) -> None:
        self._early.append((data, text, at_ns))
        if len(self._early) == MAX_EARLY and not self._owner.transport.is_closing():
            self._owner.transport.pause_reading()

    def _resume(self) -> None:
        if not self._owner.transport.is_closing() and len(self._early) < MAX_EARLY:
            self._owner.transport.resume_reading()

    def _check(self, reader: Reader) -> None:
        """Fails a connection that floods or inflates too much."""
        if reader.idle > IDLE_PER_S or reader.suspicious > SUSPICIOUS_PER_S:
            self._guard = self._guard or Guard()
            self._guard.check(self._at_ns, reader.idle, reader.suspicious - self.allowance)
