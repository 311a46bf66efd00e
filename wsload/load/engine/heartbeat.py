"""The loop's heartbeat: it shows a thousand times a second whether the loop polls its sockets in time.

`wsload.measure.lateness` explains how it is used. A periodic timerfd wakes the loop. Where there is none (macOS), a
timer is re-armed after each beat, at a longer interval because those timers are less precise.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final

from wsload.load.engine import timerfd
from wsload.load.engine.timers import Timer, TimerQueue
from wsload.measure.lateness import BEAT_NS, SLACK_NS, Lateness
from wsload.measure.recorder import Recorder

COARSE_BEAT_NS: Final = 5_000_000
COARSE_SLACK_NS: Final = 1_500_000
"""For timers with a resolution of 1 ms."""
LONG_NS: Final = 5_000_000
STEADY_BEATS: Final = 8
"""After this many beats on time, a late one is an exception."""
MAX_AT_ONCE: Final = 100_000
"""At most this many missed beats of a late spell are recorded."""

_SCHEDSTAT: Final = "/proc/thread-self/schedstat"


class Heartbeat:
    """Runs while something is recorded, on the loop's thread, and records each beat's lateness as ``loop_lag``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timers: TimerQueue) -> None:
        self._loop = loop
        self._timers = timers
        self._recorders: list[Recorder] = []
        fine = timers.kind == "timerfd"
        beat_ns, slack_ns = (BEAT_NS, SLACK_NS) if fine else (COARSE_BEAT_NS, COARSE_SLACK_NS)
        self.lateness: Final = Lateness(beat_ns, slack_ns)
        timers.lateness = self.lateness
        self._causes = Causes()
        self._came_ns = 0
        """When an overdue beat came, until its iteration of the loop is over; else 0."""
        self._fd = -1
        self._timer: Timer | None = None
        due_ns = time.monotonic_ns() + beat_ns
        self.lateness.start(due_ns)
        if fine:
            self._fd = timerfd.create()
            timerfd.arm(self._fd, due_ns, beat_ns)
            loop.add_reader(self._fd, self._on_readable)
        else:
            self._timer = timers.at(due_ns, self._on_timer)

    def join(self, recorder: Recorder) -> None:
        """Records there too, from now on."""
        recorder.lateness = self.lateness
        self._recorders.append(recorder)

    def leave(self, recorder: Recorder) -> bool:
        """Records there no longer; the last one stops the heartbeat, and then this returns True.

        A beat that is overdue is recorded.
        """
        now_ns = time.monotonic_ns()
        if now_ns - self.lateness.due_ns > self.lateness.slack_ns:
            self._causes.come()
            self._catch_up(now_ns)
            self._came_ns = 0
        self._recorders.remove(recorder)
        if not self._recorders:
            self._stop()
        return not self._recorders

    def _stop(self) -> None:
        self.lateness.stop()
        self._causes.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _on_readable(self) -> None:
        timerfd.clear(self._fd)
        self._beat()

    def _on_timer(self) -> None:
        self._beat()
        self._timer = self._timers.at(max(self.lateness.due_ns, time.monotonic_ns()), self._on_timer)

    def _beat(self) -> None:
        now_ns, lateness = time.monotonic_ns(), self.lateness
        lag_ns = now_ns - lateness.due_ns
        if lag_ns < 0 or self._came_ns:
            return  # counted already, when the loop caught up
        if lag_ns <= lateness.slack_ns:
            lag_ns = lateness.beat(now_ns)
            for recorder in self._recorders:
                recorder.values["loop_lag"].append(lag_ns)
            self._causes.mark()
        else:
            # Whatever else became readable meanwhile is read in the same iteration of the loop, so it is late too.
            self._came_ns = now_ns
            self._causes.come()
            self.lateness.look(now_ns)
            # After a missed beat the reads of the next iteration count as late too: the process may have lost the
            # core between polling and the first event. Where the loop is late again and again that would blame too
            # much: there it takes a long spell. (The loop's own timers fire before it polls.)
            steady = lateness.due_ns - lateness.until_ns > STEADY_BEATS * lateness.beat_ns
            long = lag_ns > (lateness.beat_ns if steady else LONG_NS)
            turns = 1 + long + (self._fd < 0)
            self._loop.call_soon(self._next_turn, turns - 1)

    def _next_turn(self, more: int) -> None:
        if more:
            self._loop.call_soon(self._next_turn, more - 1)
        elif self._came_ns:  # otherwise somebody left meanwhile
            self._catch_up(self._came_ns)
            self._came_ns = 0

    def _catch_up(self, now_ns: int) -> None:
        late_ns = self.lateness.catch_up(now_ns)
        working_ns, waiting_ns = self._causes.divide(late_ns.start)
        for recorder in self._recorders:
            recorder.values["loop_lag"].extend(late_ns[:MAX_AT_ONCE])
            recorder.count.late_ns += late_ns.start
            recorder.count.late_working_ns += working_ns
            recorder.count.late_waiting_ns += waiting_ns


class Causes:
    """Attributes late spells to what the process did meanwhile, according to the kernel. On the loop's thread.

    While a beat is overdue the process computes (its CPU time grows), or waits for a core that another process occupies
    (the run-queue delay in ``/proc/…/schedstat`` grows), or neither: then something blocks it, or it was stopped.
    """

    def __init__(self) -> None:
        try:
            self._fd = os.open(_SCHEDSTAT, os.O_RDONLY)
        except OSError:  # not Linux, or not in this kernel: waiting can't be distinguished from being stopped
            self._fd = -1
        self._began = self._came = self._now()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def mark(self) -> None:
        """The loop is on time: if a late spell comes next, it is measured from here."""
        self._began = self._now()

    def come(self) -> None:
        """An overdue beat has come: the late spell is measured to here, and one that follows at once from here."""
        self._came = self._now()

    def divide(self, late_ns: int) -> tuple[int, int]:
        """How much of a late spell of this length, which ended when `come` was called, was work and waiting, in ns."""
        began, self._began = self._began, self._came
        working_ns = min(self._came[0] - began[0], late_ns)
        waiting_ns = min(_waited_ns(self._came[1]) - _waited_ns(began[1]), late_ns - working_ns)
        return working_ns, waiting_ns

    def _now(self) -> tuple[int, bytes]:
        """The process's CPU time in ns, and the thread's ``schedstat``."""
        return time.process_time_ns(), os.pread(self._fd, 64, 0) if self._fd >= 0 else b""


def _waited_ns(schedstat: bytes) -> int:
    """The thread's total wait for a core: the second of the file's three numbers."""
    return int(schedstat.split()[1]) if schedstat else 0
