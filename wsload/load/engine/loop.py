"""The engine of one process: a uvloop, its clockwork, and the members that live on it.

Four wheels turn while a run is on. Every 20 ms a heartbeat asks how late the loop is; every 100 ms
samples are flushed and a slice of the members is visited (time-outs, pings); every second, at the
full second of the wall clock so that processes agree on the borders, what was recorded is frozen
and handed on. Between runs only the loop itself stays.
"""

from __future__ import annotations

import asyncio
import collections
import gc
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import uvloop

from wsload.load.engine.compat import counted_already
from wsload.load.engine.timers import Alarm, Ring
from wsload.measure.recorder import Draft, Recorder, Tap

HEARTBEAT_NS: Final = 20_000_000
FLUSH_NS: Final = 100_000_000
VISITS_PER_FLUSH: Final = 2_000
"""Up to this many members are visited ten times a second; more take their turns."""
SECOND_NS: Final = 1_000_000_000


class Member(Protocol):
    """A user that lives on the loop."""

    def visit(self, now_ns: int) -> None:
        """Called several times a minute to several times a second: give up what has waited too long."""

    def ping(self) -> None:
        """Called about every 20 s, more often in small swarms: ping the connection, if there is one."""


class Engine:
    """One process's event loop, recorder and members.

    `run` is the body of a thread of its own; `call` and `stop` may be called from any other.
    All else belongs to the loop's thread.
    """

    def __init__(self, tap: Tap | None = None) -> None:
        self.recorder: Final = Recorder(tap)
        self.members: Final[dict[Member, None]] = {}
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self.connections = 0
        """Connections open now; kept by the members."""
        self.in_flight = 0
        """Messages sent and neither answered nor given up; kept by the members."""
        self.alarm: Alarm = None  # type: ignore[assignment]  # made in `run`: it belongs to the loop's thread
        self._on_draft: Callable[[Draft], None] | None = None
        self._rings: dict[str, Ring] = {}
        self._turn: collections.deque[Member] = collections.deque()
        self._ping_turn: collections.deque[Member] = collections.deque()
        self._queue: collections.deque[Callable[[], object]] = collections.deque()
        self._pauses: collections.deque[int] = collections.deque()
        self._pause_began_ns = 0
        self._began_ns = 0
        self._wall_s = 0.0
        self._cpu_ns = 0

    # From other threads

    def run(self, on_error: Callable[[dict[str, Any]], None]) -> None:
        """Runs the loop until `stop`; ``on_error`` is told of exceptions nobody caught."""
        self.loop.set_exception_handler(
            lambda _, context: None if counted_already(context) else on_error(context)
        )
        asyncio.set_event_loop(self.loop)
        self.alarm = Alarm(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.alarm.close()
            self.loop.close()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Has the loop call the function soon."""
        self.loop.call_soon_threadsafe(function, *args)

    def stop(self) -> None:
        """Ends `run`."""
        self.loop.call_soon_threadsafe(self.loop.stop)

    # On the loop's thread

    def begin(self, on_draft: Callable[[Draft], None]) -> None:
        """Starts recording, after ending what went on; ``on_draft`` is given each second's draft."""
        self.end()
        self._on_draft = on_draft
        self._began_ns = time.monotonic_ns()
        self._wall_s = time.time() - self._began_ns / SECOND_NS
        self.recorder.freeze(start_s=0, length_s=0, gauges={})
        self._cpu_ns = time.process_time_ns()
        gc.callbacks.append(self._on_gc)
        now = time.monotonic_ns()
        self._rings = {
            "beat": self.alarm.at(now + HEARTBEAT_NS, self._beat),
            "flush": self.alarm.at(now + FLUSH_NS, self._flush),
            "second": self.alarm.at(self._next_second(now), self._second),
        }

    def end(self) -> None:
        """Hands out the last, shorter interval and stops recording."""
        if self._on_draft is None:
            return
        self._freeze()
        for ring in self._rings.values():
            ring.cancel()
        self._on_draft = None
        gc.callbacks.remove(self._on_gc)

    def in_turn(self, action: Callable[[], object]) -> None:
        """Calls the action in a turn of the loop that it has for itself, in order of asking.

        So what is due for thousands at once is done one by one, with the sockets looked after in
        between: none waits, and is timed as if it had, for all the others.
        """
        self._queue.append(action)
        if len(self._queue) == 1:
            self.loop.call_soon(self._next_in_turn)

    async def own_turn(self) -> None:
        """Returns when it is the caller's turn: see `in_turn`."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self.in_turn(lambda: None if waiter.done() else waiter.set_result(None))
        await waiter

    def _next_in_turn(self) -> None:
        try:
            self._queue[0]()
        finally:
            self._queue.popleft()
            if self._queue:
                self.loop.call_soon(self._next_in_turn)

    def _beat(self) -> None:
        now = time.monotonic_ns()
        due = self._rings["beat"].due_ns
        self.recorder.values["loop_lag"].append(now - due)
        # Beats that a blocked loop missed were late too, each by what was left of the block.
        missed = range(due + HEARTBEAT_NS, now, HEARTBEAT_NS)
        self.recorder.values["loop_lag"].extend(now - beat for beat in missed)
        self._rings["beat"] = self.alarm.at(due + (len(missed) + 1) * HEARTBEAT_NS, self._beat)

    def _flush(self) -> None:
        now = time.monotonic_ns()
        self._rings["flush"] = self.alarm.at(now + FLUSH_NS, self._flush)
        self._take_pauses()
        self.recorder.flush()
        for member in _slice(self._turn, self.members, VISITS_PER_FLUSH):
            member.visit(now)
        # Every connection about every 20 s, and the swarm five times a second at least.
        pinged = _slice(self._ping_turn, self.members, max(1, len(self.members) // 200))
        for place, member in enumerate(pinged):
            # Evenly, since pings that go out together wait for each other at the server.
            self.alarm.at(now + place * FLUSH_NS // len(pinged), member.ping)

    def _second(self) -> None:
        self._freeze()
        self._rings["second"] = self.alarm.at(self._next_second(time.monotonic_ns()), self._second)

    def _next_second(self, now_ns: int) -> int:
        gap = SECOND_NS - time.time_ns() % SECOND_NS
        return now_ns + (gap if gap > FLUSH_NS else gap + SECOND_NS)

    def _freeze(self) -> None:
        now_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
        self._take_pauses()
        self.recorder.count.cpu_ns += cpu_ns - self._cpu_ns
        draft = self.recorder.freeze(
            start_s=self._wall_s + self._began_ns / SECOND_NS,
            length_s=(now_ns - self._began_ns) / SECOND_NS,
            gauges={
                "users": len(self.members),
                "connections": self.connections,
                "in_flight": self.in_flight,
            },
        )
        self._began_ns, self._cpu_ns = now_ns, cpu_ns
        if self._on_draft is not None:
            self._on_draft(draft)

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        # May run on any thread, even inside a flush: so not into the recorder's lists from here.
        if phase == "start":
            self._pause_began_ns = time.monotonic_ns()
        elif self._pause_began_ns:
            self._pauses.append(time.monotonic_ns() - self._pause_began_ns)

    def _take_pauses(self) -> None:
        while self._pauses:
            self.recorder.values["gc_pause"].append(self._pauses.popleft())


def _slice(turn: collections.deque[Member], members: dict[Member, None], most: int) -> list[Member]:
    """The next few members whose turn it is; members that left meanwhile are passed over."""
    if not turn:
        turn.extend(members)
    taken = [turn.popleft() for _ in range(min(most, len(turn)))]
    return [member for member in taken if member in members]
