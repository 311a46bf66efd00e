"""An engine: the recorder of a run, its periodic work, and the members that it visits, on an event loop.

During a run a heartbeat measures how late the loop is (`wsload.load.engine.heartbeat`). Every 100 ms
samples are flushed and a slice of the members is visited, so that they can time out requests. Every
second a snapshot is taken, on the full second of the run's clock so that the intervals of all processes
begin together. That is the wall clock as the run begins, and goes on steadily when the machine's clock is set.
Between runs only the loop remains.
"""

from __future__ import annotations

import collections
import gc
import time
from collections.abc import Callable
from typing import Final, Protocol

from wsload.load.engine.event_loop import EventLoop
from wsload.load.engine.timers import Timer
from wsload.measure.recorder import Listener, Recorder
from wsload.measure.schedule import SECOND_NS
from wsload.measure.snapshot import Snapshot

FLUSH_NS: Final = 100_000_000
BETWEEN_NS: Final = 5_000_000
"""The pause between flushing one long list of samples and the next."""
VISITS_PER_FLUSH: Final = 2_000
"""Members visited per flush, in turn; up to this many are visited ten times a second."""


class Member(Protocol):
    """A user's connection, as the loop visits it."""

    def visit(self, now_ns: int) -> None:
        """Times out what has waited too long. Called ten times a second, less often with thousands of members."""


class Engine:
    """Records on an event loop, for the members that live there. Usually a process has one.

    `call` may be called from any thread, all other methods only from the loop's.
    """

    def __init__(self, listener: Listener | None = None, *, on: EventLoop | None = None) -> None:
        """``on`` is an event loop that another engine uses too; usually this one gets its own."""
        self.event_loop: Final = EventLoop() if on is None else on
        self.loop: Final = self.event_loop.loop
        self.timers: Final = self.event_loop.timers
        self.call: Final = self.event_loop.call
        self.in_turn: Final = self.event_loop.in_turn
        self.own_turn: Final = self.event_loop.own_turn
        self.recorder: Final = Recorder(listener)
        self.members: Final[dict[Member, None]] = {}
        self.users = 0
        """Users that have arrived and not left; updated by them."""
        self.connections = 0
        """Open connections; updated by the members."""
        self.in_flight = 0
        """Requests sent and neither answered nor given up; updated by the members."""
        self.flushes = 0
        """Increases ten times a second during a run unless the loop is blocked, for other threads to watch."""
        self._on_snapshot: Callable[[Snapshot], None] | None = None
        self._periodic: dict[str, Timer] = {}
        self._turn: collections.deque[Member] = collections.deque()
        self._pauses: collections.deque[int] = collections.deque()
        self._pause_began_ns = 0
        self._began_ns = 0
        self._epoch_ns = 0
        """What the run's clock is ahead of the monotonic one."""
        self._cpu_ns = 0

    # On the loop's thread

    def begin(self, on_snapshot: Callable[[Snapshot], None]) -> None:
        """Starts recording, after ending a recording in progress; ``on_snapshot`` gets a snapshot every second."""
        self.end()
        self._on_snapshot = on_snapshot
        self._began_ns = time.monotonic_ns()
        self._epoch_ns = time.time_ns() - self._began_ns
        self.recorder.begin()
        self._cpu_ns = time.process_time_ns()
        gc.callbacks.append(self._on_gc)
        now = time.monotonic_ns()
        self.event_loop.beat_for(self.recorder)
        self._periodic = {
            "flush": self.timers.at(now + FLUSH_NS, self._flush),
            "second": self.timers.at(self._next_second(now), self._second),
        }

    def end(self) -> None:
        """Stops recording; the last, shorter interval goes to ``on_snapshot``."""
        if not self._periodic:
            return
        self.event_loop.no_beat_for(self.recorder)
        for timer in self._periodic.values():
            timer.cancel()
        self._periodic.clear()
        self.take_last_snapshot()

    def take_last_snapshot(self) -> None:
        """Takes the last snapshot. Other threads may call it if the loop is blocked, so that `end` can't run."""
        if self._on_snapshot is None:
            return
        self._freeze()
        self._on_snapshot = None
        gc.callbacks.remove(self._on_gc)

    def _flush(self) -> None:
        self.flushes += 1
        now = time.monotonic_ns()
        self._periodic["flush"] = self.timers.at(now + FLUSH_NS, self._flush)
        self._take_pauses()
        if "next" not in self._periodic:
            self._flush_next()
        # If the loop is late, answers that have arrived are read before they are timed out. Twice: see `Deadline`.
        self.loop.call_soon(self.loop.call_soon, self._visit)

    def _flush_next(self) -> None:
        self._periodic.pop("next", None)
        if self.recorder.flush():
            self._periodic["next"] = self.timers.at(time.monotonic_ns() + BETWEEN_NS, self._flush_next)

    def _visit(self) -> None:
        now = time.monotonic_ns()
        for member in _slice(self._turn, self.members, VISITS_PER_FLUSH):
            member.visit(now)

    def _second(self) -> None:
        self._freeze()
        self._periodic["second"] = self.timers.at(self._next_second(time.monotonic_ns()), self._second)

    def _next_second(self, now_ns: int) -> int:
        gap = SECOND_NS - (self._epoch_ns + now_ns) % SECOND_NS
        return now_ns + (gap if gap > FLUSH_NS else gap + SECOND_NS)

    def _freeze(self) -> None:
        now_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
        self._take_pauses()
        self.recorder.count.cpu_ns += cpu_ns - self._cpu_ns
        snapshot = self.recorder.freeze(
            start_s=(self._epoch_ns + self._began_ns) / SECOND_NS,
            length_s=(now_ns - self._began_ns) / SECOND_NS,
            gauges={
                "users": self.users,
                "connections": self.connections,
                "in_flight": self.in_flight,
            },
        )
        self._began_ns, self._cpu_ns = now_ns, cpu_ns
        if self._on_snapshot is not None:
            self._on_snapshot(snapshot)

    def _on_gc(self, phase: str, _: dict[str, int]) -> None:
        # Runs on any thread, even during a flush, so it must not touch the recorder's lists.
        if phase == "start":
            self._pause_began_ns = time.monotonic_ns()
        elif self._pause_began_ns:
            self._pauses.append(time.monotonic_ns() - self._pause_began_ns)

    def _take_pauses(self) -> None:
        while self._pauses:
            self.recorder.values["gc_pause"].append(self._pauses.popleft())


def _slice(turn: collections.deque[Member], members: dict[Member, None], most: int) -> list[Member]:
    """The next ``most`` members in turn, without those that have left."""
    if not turn:
        turn.extend(members)
    taken = [turn.popleft() for _ in range(min(most, len(turn)))]
    return [member for member in taken if member in members]
