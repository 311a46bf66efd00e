"""A user's WebSocket: requests and their answers, messages sent and received, all recorded under their names.

Everything runs on the loop's thread. A request is sent when it is made, not when it is awaited, and it is recorded
when its answer arrives, whoever awaits it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

from wsload.errors import ConnectionLost, MessageTimeout, NotConnected, UsageError
from wsload.load.users import pairing
from wsload.load.users.accounts import DONE, TIMEOUT, UNANSWERED, record_answer
from wsload.load.users.due import current_due
from wsload.load.users.inbox import Inbox
from wsload.load.users.keeping import KeptConnection
from wsload.load.users.pairing import Doubt, Found, Match, Pairing, Request
from wsload.load.users.process import ProcessContext
from wsload.measure.names import Kind

if TYPE_CHECKING:
    from wsload.load.users.owner import Owner

LINGER_NS: Final = 20_000_000
"""An answer too many is waited for at the end, for as long as the slowest took and this."""
MESSAGE: Final = "message"
"""What a request is called that is given no name."""
_now_ns = time.monotonic_ns

Check = Callable[[Any], str | None]


class Socket(KeptConnection):
    """One WebSocket of a user. ``key_of`` and ``on_message`` are the user class's, or None where it has none."""

    __slots__ = ("_drained", "_inbox", "_longest_ns", "_on_message",
                 "_pairing", "_turn_names", "at_ns", "key_of", "name")  # fmt: skip

    def __init__(
        self,
        owner: Owner,
        context: ProcessContext,
        *,
        main: bool,
        reconnects: bool,
        name: str = MESSAGE,
        key_of: Callable[[Any], Hashable] | None = None,
        on_message: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(owner, context, main=main, reconnects=reconnects)
        self.name = name
        """What its requests are called that are given no name."""
        self.key_of = key_of
        self._on_message = on_message
        self._pairing = Pairing()
        self._inbox: Inbox | None = None  # made when something is to be received
        self._drained: asyncio.Future[None] | None = None
        self._longest_ns = 0
        self._turn_names: set[str] = set()
        self.at_ns = 0
        """When the message that was handed over last had arrived (monotonic)."""

    @property
    def inbox(self) -> Inbox:
        """The messages that answer no request, where no hook takes them."""
        if self._on_message is not None:
            raise UsageError(
                "on_message is given every message that answers no request: nothing is left to receive"
            )
        if self._inbox is None:
            self._inbox = Inbox(self)
            if self.connection is not None:
                self._inbox.begin()
        return self._inbox

    def _began(self) -> None:
        self._pairing = Pairing()
        self._turn_names.clear()
        if self._inbox is not None:
            self._inbox.begin()

    # Sending

    def send(self, data: str | bytes) -> Awaitable[None]:
        """Sends a message at once; awaiting it waits while the transport's buffer is full.

        Awaiting raises `NotConnected`, counted as unsent.
        """
        connection = self.usable()
        try:
            if connection is None:
                raise NotConnected("not connected")
            self._write(connection, data)
        except NotConnected as error:
            return self.unsent(self.name, error)
        return DONE if connection.writable else connection.ready_to_write()

    def send_nowait(self, data: str | bytes) -> None:
        """Sends a message at once, for plain hooks. Raises `NotConnected`, counted as unsent."""
        connection = self.usable()
        if connection is None:
            self.count_unsent(self.name, "not connected")
            raise NotConnected("not connected")
        self._write(connection, data)

    def _write(self, connection: Any, data: str | bytes) -> None:
        raw = data.encode() if isinstance(data, str) else data
        connection.send_now(raw, text=raw is not data)

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message that answers no request; see `WebSocketUser.receive`."""
        message = await self.inbox.receive(timeout)
        self.at_ns = self.inbox.at_ns
        return message

    def request(
        self,
        data: str | bytes,
        *,
        key: Hashable = None,
        match: Match | None = None,
        name: str | None = None,
        check: Check | None = None,
        timeout: float | None = None,
        by_turn: bool = False,
    ) -> Awaitable[Any]:
        """Sends a request; awaiting gives its answer. See `WebSocketUser.request` and `round_trip`."""
        name = name or self.name
        figures = self.recorder.declare(name, Kind.REQUEST)
        connection = self.usable()
        if connection is None:
            return self.unsent(figures.name, NotConnected("not connected"))
        if len(self._pairing) >= self.context.settings.max_in_flight:
            return self.unsent(figures.name, NotConnected("too many in flight"))
        sent_ns = _now_ns()
        due_ns, lag_ns = current_due.get().take(sent_ns)
        request = Request(figures, due_ns, sent_ns, lag_ns, key=key, match=match, check=check, data=data)
        try:
            self._pairing.add(request)
        except ValueError as error:
            raise UsageError(f"{error}: give each request a key of its own") from None
        try:
            self._write(connection, data)
        except NotConnected as error:
            self._pairing.give_up(request)
            return self.unsent(figures.name, error)
        except BaseException:
            self._pairing.give_up(request)
            raise
        if by_turn:
            self._turn_names.add(figures.name)
        self.recorder.count.requests += 1
        self.engine.in_flight += 1
        if timeout is not None:
            request.timer = self.engine.timers.at(
                sent_ns + int(timeout * 1e9), self._give_up, request, TIMEOUT
            )
        waiter: asyncio.Future[Any] = self.engine.loop.create_future()
        request.waiter = waiter
        return waiter

    # Receiving

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        message: str | bytes = data.decode() if text else data
        key = None
        if self.key_of is not None:
            key = self.owner._call(self.key_of, message)
        try:
            found = self._pairing.receive(message, key)
        except Exception as error:
            self.owner._report("match", error)
            found = Found(pairing.Kind.PUSH)
        if found.request is not None:
            self._answer(found, found.request, message, at_ns, len(data))
        else:
            self._receive_other(found, message, at_ns, len(data))

    def _answer(self, found: Found, request: Request, message: str | bytes, at_ns: int, size: int) -> None:
        recorder, figures = self.recorder, request.figures
        refused = self._checked(request.check, message) if request.check is not None else None
        if refused is None:
            record_answer(recorder, figures, request, at_ns, size)
        else:
            recorder.count.refused += 1
            recorder.values[figures.failed].append(at_ns - request.due_ns)
            recorder.failed(figures.name, str(refused)[:LONGEST_KIND], at_ns - request.due_ns)
        if found.overlapped:
            recorder.add(f"{figures.name}.overlapped")
        if found.doubt is not None:
            self._doubt(found.doubt)
        if request.key is None and at_ns - request.sent_ns > self._longest_ns:
            self._longest_ns = at_ns - request.sent_ns
        self._settle(request)
        waiter = request.waiter
        if waiter is not None and not waiter.done():
            self.at_ns = at_ns
            waiter.set_result(message)
        self.owner._progressed()

    def _checked(self, check: Check, message: str | bytes) -> str | None:
        try:
            return check(message)
        except Exception as error:
            self.owner._report("check", error)
            return type(error).__name__

    def _settle(self, request: Request) -> None:
        """The request is no longer outstanding."""
        self.engine.in_flight -= 1
        if request.timer is not None:
            request.timer.cancel()
        if self._drained is not None and not len(self._pairing):
            self._stop_draining()

    def _stop_draining(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _receive_other(self, found: Found, message: str | bytes, at_ns: int, size: int) -> None:
        recorder = self.recorder
        if found.kind is pairing.Kind.LATE:
            recorder.count.late += 1
            recorder.add(f"{found.name}.late")
            return
        if found.kind is pairing.Kind.DUPLICATE:
            recorder.count.duplicates += 1
            recorder.add(f"{found.name}.duplicates")
            return
        recorder.count.pushes += 1
        if found.doubt is not None:
            self._doubt(found.doubt)
        if self._on_message is not None:
            self.at_ns = at_ns
            self.owner._call(self._on_message, message)
        else:
            self.inbox.put(message, at_ns, size)

    def _doubt(self, doubt: Doubt) -> None:
        """Marks every name whose answers on this connection were told by their turn."""
        self.recorder.count.unpaired += 1
        for name in self._turn_names:
            self.recorder.add(f"{name}.unpaired")
            self.recorder.add(f"{name}: {doubt}")

    # Giving up

    def visit(self, now_ns: int) -> None:
        if len(self._pairing):
            oldest_ns = now_ns - self.context.settings.message_timeout_ns
            for request in self._pairing:
                if request.sent_ns < oldest_ns and request.timer is None:
                    self._give_up(request, TIMEOUT)

    def _give_up(self, request: Request, kind: str, detail: str = "") -> None:
        """The request is lost: no answer came in time, or the connection is gone."""
        doubt = self._pairing.give_up(request)
        self.lost(request.figures, request.due_ns, kind)
        if doubt is not None and kind in (TIMEOUT, UNANSWERED):
            self._doubt(doubt)
        self._settle(request)
        timed_out = kind == TIMEOUT
        if request.waiter is not None and not request.waiter.done():
            error = MessageTimeout if timed_out else ConnectionLost
            self.fail(request.waiter, error(kind, detail))
        if timed_out and request.general:
            # Its answer, should it still come, would be taken for the next one's.
            self.recycle()

    def _lost(self, kind: str, reason: str) -> None:
        for request in self._pairing:
            self._give_up(request, kind, reason)
        if self._inbox is not None:
            self._inbox.end(kind, reason)

    async def drain(self, allowed_s: float) -> None:
        """Waits for outstanding answers, for so long at most; what has none by then is lost."""
        deadline_ns = _now_ns() + int(allowed_s * 1e9)
        if len(self._pairing) and allowed_s > 0:
            self._drained = self.engine.loop.create_future()
            timer = self.engine.timers.at(deadline_ns, self._stop_draining)
            try:
                await self._drained
            finally:
                timer.cancel()
                self._drained = None
        for request in self._pairing:
            self._give_up(request, UNANSWERED)
        if self._turn_names and self.connection is not None:
            # An answer too many would show that answers went to the wrong requests: it is given time to come.
            await self.engine.timers.sleep_until(min(deadline_ns, _now_ns() + self._longest_ns + LINGER_NS))


LONGEST_KIND: Final = 80
"""Characters of a kind of failure that a user class names."""
