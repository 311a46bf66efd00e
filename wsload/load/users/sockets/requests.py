"""The requests and answers on a user's WebSocket, recorded under their names.

Everything runs on the loop's thread. A request is sent when it is made, not when it is awaited, and recorded when its
answer arrives, whether anybody awaits it or not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, Any, Final

from wsload.errors import ConnectionLost, MessageTimeout, NotConnected
from wsload.load.users.context.here import current_due, current_lingering, left_out, steps_here
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.matching import findings
from wsload.load.users.matching.findings import Request
from wsload.load.users.matching.pairing import Pairing
from wsload.load.users.matching.rules import Match
from wsload.load.users.sockets.keeping import KeptConnection
from wsload.load.users.sockets.states import State
from wsload.load.users.sockets.tally import Check, Draining, cut, lateness_of, record_answer, time_limit_ns
from wsload.measure.keys import join_key
from wsload.measure.lateness import BEAT_NS
from wsload.measure.names import MESSAGE, NOT_CONNECTED, TIMEOUT, TOO_MANY, UNANSWERED, Kind, OwnWait

if TYPE_CHECKING:
    from wsload.load.users.sockets.owner import Owner

LINGER_NS: Final = 20_000_000
"""Before closing, surplus answers are awaited for as long as the slowest answer took, plus this time."""
LINGER_TURNS: Final = 3
"""Plus the time spanned by this many of the latest requests: if that many messages were mistaken for answers, the last
true answers would arrive that much later."""
LONG_LOOK_NS: Final = 500_000_000
"""Plus this time on the first connections of a run."""
_now_ns = time.monotonic_ns
_OPEN = State.OPEN


class RequestingConnection(KeptConnection):
    """A user's WebSocket that sends requests. ``key_of`` is the user class's, or None if it has none."""

    __slots__ = ("_draining", "_longest_ns", "_pairing", "_turns", "at_ns", "key_of", "name")

    def __init__(
        self,
        owner: Owner,
        context: ProcessContext,
        *,
        main: bool,
        reconnects: bool,
        name: str = MESSAGE,
        key_of: Callable[[Any], Hashable] | None = None,
    ) -> None:
        super().__init__(owner, context, main=main, reconnects=reconnects)
        self.name = name
        """The default name of its requests."""
        self.key_of = key_of
        self._pairing = Pairing()
        self._draining: Draining | None = None
        self._longest_ns = 0
        self._turns: tuple[int, ...] = ()
        """When the last requests without keys, or with keys used again, were sent."""
        self.at_ns = 0
        """When the latest message that was passed to a task or hook arrived (monotonic, in ns)."""

    def _began(self) -> None:
        self._pairing = Pairing()
        self._turns = ()

    def request(
        self,
        data: str | bytes,
        *,
        key: Hashable = None,
        match: Match | None = None,
        name: str | None = None,
        check: Check | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Sends a request; awaiting returns its answer. See `WebSocketUser.request` and `round_trip`."""
        name = name or self.name
        try:
            figures = self.recorder.declared.get(name) or self.declare(name, Kind.REQUEST)
            limit_ns = 0 if timeout is None else time_limit_ns(timeout)
            connection = self.connection if self.state is _OPEN else self.usable()
            pairing = self._pairing
            if connection is None or pairing.outstanding >= self.context.settings.max_in_flight:
                return self.unsent(figures.name, NotConnected(TOO_MANY if connection else NOT_CONNECTED))
            if key is not None and key in pairing.by_key:
                return self.key_in_flight(figures.name, key)
            due_ns = sent_ns = _now_ns()
            due = current_due.get()
            if due.due_ns:
                due_ns, lag_ns = due.take(sent_ns)
                request = Request(figures, due_ns, sent_ns)
                request.lag_ns = lag_ns
            else:
                request = Request(figures, sent_ns, sent_ns)
            raw = data.encode() if isinstance(data, str) else data
            connection.send_now(raw, text=raw is not data)
        except NotConnected as error:
            return self.unsent(figures.name, error)
        except Exception as error:
            return self.refused("round_trip" if key is None else "request", error)
        if (written_ns := _now_ns()) - sent_ns > BEAT_NS:
            self.recorder.lateness.wrote(sent_ns, written_ns)
        if key is None:
            request.data = data
            pairing.add_in_order(request, match)
            by_turn = True
        else:
            request.key = key
            by_turn = pairing.add(request, key)
        if by_turn:
            self._turns = (*self._turns[-LINGER_TURNS:], sent_ns)
            if current_lingering.get() is not None:
                pairing.part_of(figures.name, steps_here())
        if pairing.doubts:
            self._look_into_doubts()
        if check is not None:
            request.check = check
        if timeout is not None:
            source = connection.incoming
            request.timer = self.engine.timers.deadline(
                sent_ns + limit_ns, self._give_up, request, TIMEOUT, source=source
            )
        self.recorder.count.requests += 1
        self.engine.in_flight += 1
        waiter: asyncio.Future[Any] = self.engine.loop.create_future()
        request.waiter = waiter
        return waiter

    # Receiving

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        message: str | bytes = data.decode() if text else data
        key, request, pairing = None, None, self._pairing
        if self.key_of is not None:
            try:
                key = self.key_of(message)
                if key is not None:
                    request = pairing.answered(key, at_ns)
            except BaseException as error:
                self.owner._raised("key_of", error)
                key = None
        elif (
            (waiting := pairing.in_order)
            and waiting[0].match is None
            and waiting[0].sent_ns <= at_ns
            and pairing.overlap is None
            and not pairing.given_up
        ):
            request = waiting.popleft()
            pairing.outstanding -= 1
        if request is not None:
            self._answer(request, message, at_ns, len(data))
        else:
            self._receive_other(key, message, at_ns, len(data))

    def _answer(self, request: Request, message: str | bytes, at_ns: int, size: int) -> None:
        if request.check is not None and (refused := self.checked(request.check, message)) is not None:
            self._refused(request, refused, at_ns, message)
        else:
            record_answer(self.recorder, request.figures, request, at_ns, size)
            if self.recorder.detailed:
                self.add_answer(request.figures, message)
        if (request.key is None or self._pairing.reused) and at_ns - request.sent_ns > self._longest_ns:
            self._longest_ns = at_ns - request.sent_ns
        self.engine.in_flight -= 1
        if request.timer is not None:
            request.timer.cancel()
        if self._draining is not None and not self._pairing.outstanding:
            self._draining.end()
        waiter = request.waiter
        if not waiter.done():
            self.at_ns = at_ns
            waiter.set_result(message)
        self.progress.turned = True

    def _refused(self, request: Request, kind: str, at_ns: int, message: str | bytes) -> None:
        figures, recorder, response_ns = request.figures, self.recorder, at_ns - request.due_ns
        recorder.count.refused += 1
        recorder.values[figures.failed].append(response_ns)
        recorder.late(figures.failed, response_ns, sum(lateness_of(request, at_ns, recorder.lateness)))
        recorder.failed(figures.name, cut(kind), self.with_details(response_ns, message))

    def _receive_other(self, key: Hashable, message: str | bytes, at_ns: int, size: int) -> None:
        """Handles a message that is not obviously the answer to a request."""
        recorder, found = self.recorder, self._pairing.receive(message, key, at_ns)
        self._look_into_doubts()
        if found.request is not None:
            if found.overlapped:
                for name in self._pairing.concerned((found.request.figures.name,)):
                    recorder.add(f"{name}.overlapped")
            self._answer(found.request, message, at_ns, size)
        elif found.kind is findings.Kind.LATE:
            recorder.count.late += 1
            recorder.add(f"{found.name}.late")
            if found.mixed_up:
                self.recycle()
        elif found.kind is findings.Kind.DUPLICATE:
            recorder.count.duplicates += 1
            recorder.add(f"{found.name}.duplicates")
        else:
            recorder.count.pushes += 1
            if key is not None:
                recorder.count.unknown_keys += 1
            self._pushed(message, at_ns, size)

    def _pushed(self, message: str | bytes, at_ns: int, size: int) -> None:
        """For subclasses: called with a message that answers no request."""

    def _look_into_doubts(self) -> None:
        """Counts doubts for the names whose answers may have gone to the wrong requests, and the steps around them."""
        pairing, recorder = self._pairing, self.recorder
        if pairing.error is not None:
            error, pairing.error = pairing.error, None
            self.owner._raised("match", error)
        for doubt, names in pairing.doubts:
            recorder.count.unpaired += 1
            for name in pairing.concerned(names):
                recorder.add(f"{name}.unpaired")
                recorder.add(join_key(name, doubt))
        pairing.doubts.clear()

    # Giving up

    def visit(self, now_ns: int) -> None:
        if self._pairing.outstanding:
            if self.source is not None and self.source.unread(now_ns):
                self.engine.loop.call_soon(
                    self.visit, now_ns
                )  # once it was read: there may be answers among it
                return
            oldest_ns = now_ns - self.context.settings.message_timeout_ns
            for request in self._pairing:
                if request.sent_ns < oldest_ns and request.timer is None:
                    self._give_up(request, TIMEOUT)

    def _give_up(self, request: Request, kind: str, detail: str = "") -> None:
        """Counts a request as lost: no answer came in time, or the connection is gone."""
        self._pairing.give_up(request, gone=kind not in (TIMEOUT, UNANSWERED))
        self.lost(request.figures, request.due_ns, kind, detail)
        self._look_into_doubts()
        self.engine.in_flight -= 1
        if request.timer is not None:
            request.timer.cancel()
        if self._draining is not None and not self._pairing.outstanding:
            self._draining.end()
        timed_out = kind == TIMEOUT
        if request.waiter is not None and not request.waiter.done():
            error = MessageTimeout if timed_out else ConnectionLost
            self.fail(request.waiter, error(kind, detail))
        if timed_out and request.by_turn:
            # If its answer still came, it would be taken for that of the next request.
            self.recycle()

    def _lost(self, kind: str, detail: str) -> None:
        for request in self._pairing:
            self._give_up(request, kind, detail)
        self._pairing.end()
        self._look_into_doubts()

    async def drain(self, allowed_s: float) -> None:
        """Waits up to ``allowed_s`` for outstanding answers; the remaining requests are lost."""
        if self._pairing.outstanding and allowed_s > 0:
            self._draining = Draining(self.engine)
            await self._draining.wait(allowed_s, self.source)
            self._draining = None
        for request in self._pairing:
            self._give_up(request, UNANSWERED)

    async def _linger(self) -> None:
        if self.progress.cut_short and self._draining is None:
            # A task that closes in its ``finally`` did not choose to wait no longer: the end of the run did.
            await self.drain(self.context.settings.drain_s)
        if self._pairing.by_turn:
            # A surplus answer would show that answers went to the wrong requests, so give it time to arrive. The
            # mistaken message may have come at once, so the first connections get more time.
            began_ns, wait_ns = _now_ns(), self._longest_ns + LINGER_NS + self._turns[-1] - self._turns[0]
            if self.context.long_looks > 0:
                self.context.long_looks -= 1
                wait_ns += LONG_LOOK_NS
            wait_ns = min(wait_ns, int(self.context.settings.drain_s * 1e9))
            with left_out(OwnWait.SURPLUS):
                await self.engine.timers.sleep_until(began_ns + wait_ns)
