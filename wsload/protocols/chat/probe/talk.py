"""The probe's conversation: it connects, logs in, posts on a schedule, and times the echoes."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from wsload.measure.histogram import Histogram
from wsload.measure.schedule import SECOND_NS, ConstantRate, backoff
from wsload.protocols.chat.conversation.mdn import ChatSession
from wsload.protocols.chat.conversation.session import (
    Echo,
    Identified,
    Joined,
    Late,
    Post,
    State,
)
from wsload.protocols.chat.probe.frames import CLOSE, PING, PONG, TEXT, FrameReader, Violation, client_frame
from wsload.protocols.chat.probe.opening import OpeningError, open_wire
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.result import ProbeResult
from wsload.protocols.chat.probe.wire import Arrival, Stopped, Waiter, Wire

MAX_MESSAGE_BYTES: Final = 16 << 20
"""The longest message is the list of a room's users."""
MAX_PENDING: Final = 1_000
READS_IN_A_ROW: Final = 16
"""After this many reads the schedule gets a turn, even under a flood."""
GOODBYE_NS: Final = SECOND_NS
"""How long to wait for the server to close the connection at the end."""
_NEVER: Final = 1 << 62


class _Ended(Exception):
    """The connection can't be used any more; the message says why."""


class Probe:
    """One user in the room, which posts on a schedule and recognizes its echoes.

    ``emit`` gets the results of each second, and at the end the rest, with ``ended`` set.
    """

    def __init__(self, options: ProbeOptions, waiter: Waiter, emit: Callable[[ProbeResult], object]) -> None:
        self._options = options
        self._waiter = waiter
        self._emit = emit
        sender = secrets.token_hex(6)
        self._session = ChatSession(options.name, clock=options.clock, sender=sender)
        self._own = sender.encode()
        self._wire: Wire | None = None
        self._reader = FrameReader(max_bytes=MAX_MESSAGE_BYTES)
        self._schedule = ConstantRate(options.rate)
        self._start_ns = 0
        self._due_ns = _NEVER
        self._login_by_ns = 0
        self._heard_ns = 0
        self._line_ns = 0
        self._counts: Counter[str] = Counter()
        self._services: list[int] = []
        self._problem = ""

    def run(self) -> None:
        """Runs until it is told to stop; reconnects after a failure, with backoff.

        Raises `UsageError` for options that can't work.
        """
        self._line_ns = time.monotonic_ns() + SECOND_NS
        delays = backoff()
        try:
            while True:
                opens = self._counts["opens"]
                self._live()
                if self._counts["opens"] != opens:
                    delays = backoff()
                self._wait(None, until_ns=time.monotonic_ns() + int(next(delays) * SECOND_NS))
        except Stopped:
            self._wind_up()
        self._line(ended=True)

    # One connection

    def _live(self) -> None:
        """Runs one connection until it fails."""
        try:
            self._open()
            while True:
                self._turn(_NEVER)
        except _FAILURES as error:
            self._counts["failures"] += 1
            self._problem = _described(error)
            self._drop()

    def _open(self) -> None:
        self._session.reopened()
        self._wire, arrival = open_wire(self._options, self._wait)
        self._reader = FrameReader(max_bytes=MAX_MESSAGE_BYTES)
        self._heard_ns = arrival.read_ns
        self._login_by_ns = arrival.read_ns + int(self._options.open_timeout_s * SECOND_NS)
        self._take(arrival)

    def _wind_up(self) -> None:
        """Stops posting, waits for outstanding echoes, and closes the connection."""
        self._due_ns = _NEVER
        if self._wire is None:
            return
        try:
            until_ns = time.monotonic_ns() + int(self._options.drain_s * SECOND_NS)
            while self._session.pending and time.monotonic_ns() < until_ns:
                self._turn(until_ns)
            self._wire.send(client_frame(CLOSE, (1000).to_bytes(2, "big")))
            until_ns = time.monotonic_ns() + GOODBYE_NS
            while time.monotonic_ns() < until_ns:
                self._turn(until_ns)
        except _FAILURES:
            pass  # the connection is gone, one way or another
        self._drop()

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        for post in list(self._session.pending.values()):
            self._lose(post)

    def _turn(self, until_ns: int) -> None:
        """Sends what is due, then receives until something is due again."""
        wire = self._wire
        assert wire is not None
        now = time.monotonic_ns()
        self._keep_schedule(now)
        self._give_up_old(now)
        if not self._joined:
            if now >= self._login_by_ns:
                raise _Ended("login: not confirmed in time")
            until_ns = min(until_ns, self._login_by_ns)
        for post in self._session.pending.values():
            until_ns = min(until_ns, post.sent_ns + self._timeout_ns)
            break
        if self._wait(wire, until_ns=min(until_ns, self._due_ns), write=wire.backlog):
            wire.flush()
            for _ in range(READS_IN_A_ROW):
                arrival = wire.receive()
                if arrival is None:
                    break
                self._take(arrival)

    # Posting

    @property
    def _joined(self) -> bool:
        return self._wire is not None and self._session.state is State.JOINED

    @property
    def _timeout_ns(self) -> int:
        return int(self._options.message_timeout_s * SECOND_NS)

    def _keep_schedule(self, now_ns: int) -> None:
        while self._due_ns <= now_ns:
            if self._joined and len(self._session.pending) < MAX_PENDING:
                self._post(self._due_ns)
            else:
                self._counts["unsent"] += 1
            self._due_ns = self._start_ns + self._schedule.due_ns()

    def _post(self, due_ns: int) -> None:
        assert self._wire is not None
        post, data = self._session.post(
            "probe", date_ms=time.time_ns() // 1_000_000, due_ns=due_ns, sent_ns=time.monotonic_ns()
        )
        frame = client_frame(TEXT, data)
        # Taken again right before the system call: the fallback if the kernel has no timestamp.
        post.sent_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        post.waiter = self._wire.send(frame), wall_ns
        self._counts["sent"] += 1

    def _give_up_old(self, now_ns: int) -> None:
        for post in list(self._session.pending.values()):
            if post.sent_ns + self._timeout_ns > now_ns:
                return
            self._lose(post)
            if self._heard_ns < post.sent_ns:
                raise _Ended("timeout: the server stopped answering")

    def _lose(self, post: Post) -> None:
        self._session.give_up(post)
        self._counts["lost"] += 1

    # Receiving

    def _take(self, arrival: Arrival) -> None:
        assert self._wire is not None
        self._heard_ns = arrival.read_ns
        try:
            found = self._reader.feed(arrival.data, self._own if self._joined else b"")
        except Violation as error:
            self._wire.send(client_frame(CLOSE, error.code.to_bytes(2, "big")))
            raise
        for opcode, payload in found:
            if opcode == TEXT:
                self._hear(payload, arrival)
            elif opcode == PING:
                self._wire.send(client_frame(PONG, payload))
            elif opcode == CLOSE:
                self._wire.send(client_frame(CLOSE, payload))
                raise _Ended(f"closed {int.from_bytes(payload[:2], 'big') or 1005}")

    def _hear(self, payload: bytes, arrival: Arrival) -> None:
        assert self._wire is not None
        event = self._session.receive(payload)
        if isinstance(event, Echo):
            self._counts["echoed"] += 1
            self._services.append(self._service_ns(self._wire, event.post, arrival))
        elif isinstance(event, Late):
            self._counts["late"] += 1
        elif isinstance(event, Identified):
            self._wire.send(client_frame(TEXT, self._session.login(time.time_ns() // 1_000_000)))
        elif isinstance(event, Joined):
            self._counts["opens"] += 1
            self._begin_schedule()

    def _begin_schedule(self) -> None:
        """Starts the schedule at the first login; posts that were due before a later login are counted as unsent."""
        now = time.monotonic_ns()
        if not self._start_ns:
            self._start_ns = self._due_ns = now + self._schedule.due_ns()
        while self._due_ns < now:
            self._counts["unsent"] += 1
            self._due_ns = self._start_ns + self._schedule.due_ns()

    def _service_ns(self, wire: Wire, post: Post, arrival: Arrival) -> int:
        """The time from the post to its echo, by the best timestamps available."""
        own_ns = arrival.read_ns - post.sent_ns
        number, wall_ns = post.waiter
        left_ns = wire.sent_ns(number)
        if arrival.kernel_ns is not None:
            seen_ns = arrival.kernel_ns - (left_ns or wall_ns)
            # The kernel's time can't exceed this process's, unless the wall clock was set meanwhile.
            if 0 <= seen_ns <= own_ns + own_ns // 100:
                self._counts["kernel" if left_ns else "receipt"] += 1
                return seen_ns
        return own_ns

    # Reporting

    def _wait(self, what: Any, *, until_ns: int, write: bool = False) -> bool:
        """Like `Waiter.wait`, but also reports once a second."""
        while True:
            if time.monotonic_ns() >= self._line_ns:
                self._line()
            step_ns = min(until_ns, self._line_ns)
            if self._waiter.wait(what, until_ns=step_ns, write=write):
                return True
            if step_ns == until_ns:
                return False

    def _line(self, *, ended: bool = False) -> None:
        now = time.monotonic_ns()
        if not self._joined:
            self._keep_schedule(now)
        counts, self._counts = self._counts, Counter()
        services, self._services = self._services, []
        problem, self._problem = self._problem, ""
        self._line_ns = max(self._line_ns, now - SECOND_NS) + SECOND_NS
        self._emit(ProbeResult(histogram=Histogram.of(services), problem=problem, ended=ended, **counts))


_FAILURES: Final = (OSError, OpeningError, Violation, _Ended)


def _described(error: Exception) -> str:
    if isinstance(error, Violation):
        return f"protocol error: {error}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
