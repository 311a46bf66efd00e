"""The master's side of the results: merges the workers' intervals, and reports those that are missing.

The clocks of hosts differ, so intervals are shifted to the master's clock. A worker's offset is the smallest
difference seen between an interval's arrival and its end. It is rounded to whole seconds: every interval begins at a
full second of its own clock, and so still lines up with those of other workers.

A worker's shift is decided once. If it changed, two of its seconds would become one, or one would be left out. A single
message may be late, so unless the clocks agree, the worker's first `EARLY` intervals are held back until it is known
which of them came soonest.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import gevent
import gevent.event

from wsload.judge.run.processes import Kinds, ProcessFigures, answered_in, judged
from wsload.measure.interval import Interval, Merger, added, named
from wsload.results.run import RunWarning
from wsload.words import counted, when

logger = logging.getLogger("wsload")

PATIENCE_S: Final = 3
"""How long (s) a second is kept open for a worker's interval; one that arrives later is added when it arrives."""
CLOSE_S: Final = 0.8
"""Clocks that differ by less are taken to agree, since a message may take that long."""
EARLY: Final = PATIENCE_S
"""After so many intervals of a worker, one a second, its shift is decided at the latest; none is then too late."""
SKEW_S: Final = 1.0
"""Clocks that differ by more get a warning."""
BEGIN_S: Final = 3.0
"""A worker that has not begun so long after the run did is missed when the run ends, even if it begins just then."""


class WorkerLog(ProcessFigures):
    """What one worker has sent."""

    def __init__(self, name: str) -> None:
        super().__init__(f"worker {name}")
        self.latest = 0
        """The start of its last interval, in whole seconds of the master's clock."""
        self.number = 0
        """The number of its last interval, from 1."""
        self.missing = 0
        """Intervals that never arrived."""
        self.behind_s = math.inf
        """How far its clock is behind the master's: an upper bound. Negative if it is ahead."""
        self.shift_s: int | None = None
        """Added to the start of its intervals; None until that is decided."""
        self.early: list[Interval] = []
        """Those that came before."""
        self.kinds: Kinds = {}
        """Of what its users have named so far."""
        self.ordered_s = math.inf
        """When it was ordered to take part, by the run's clock."""
        self.begun = False
        """Whether it has sent anything."""
        self.absent = False
        """Whether it had not begun by the end of a run in which it had the time to."""
        self.done = False
        """Whether it has reported that it sent everything."""

    def expect(self, number: int) -> None:
        """Notes the number of its next interval, and counts those skipped as missing."""
        self.missing += number - self.number - 1
        self.number = number


class _Second:
    """What the workers have sent of one second."""

    def __init__(self) -> None:
        self._merger = Merger()
        self._levels: dict[str, Mapping[str, int]] = {}
        """The gauges of each worker's latest interval: it may have several, if its clock was set."""
        self.shares: list[Callable[[], None]] = []
        """Each adds one worker's share to that worker's figures."""

    def add(self, log: WorkerLog, interval: Interval) -> None:
        self._merger.add(replace(interval, gauges={}))
        self._levels[log.name] = interval.gauges
        if interval.names:
            log.kinds = named((log.kinds, interval.names))
        self.shares.append(partial(log.add, judged(interval), answered_in(interval, log.kinds)))

    def merged(self) -> Interval:
        return replace(self._merger.merged(), gauges=added(self._levels.values()))


class Collector:
    """Merges the workers' intervals by second, and passes them to ``on_interval`` in order."""

    def __init__(self, on_interval: Callable[[Interval], None]) -> None:
        self._on_interval = on_interval
        self._seconds: defaultdict[int, _Second] = defaultdict(_Second)
        self._changed = gevent.event.Event()
        self._hurried = False
        self._warnings: list[RunWarning] = []
        self.workers: dict[str, WorkerLog] = {}
        """By Locust's worker id."""

    def expect(self, worker: str, *, now_s: float) -> None:
        """A worker is ordered to take part: from now on it is missed, even if it never sends anything."""
        self._log_of(worker).ordered_s = now_s

    def add(self, worker: str, number: int, interval: Interval, *, now_s: float) -> None:
        """Adds a worker's interval, its ``number``-th in the run, which arrived at ``now_s`` by the master's clock."""
        log = self._log_that_began(worker)
        if number <= log.number:
            logger.warning("Interval %d of %s arrived twice: ignored the second time", number, log.name)
            return
        log.expect(number)
        log.behind_s = min(log.behind_s, now_s - (interval.start_s + interval.length_s))
        log.early.append(interval)
        if log.shift_s is not None or abs(log.behind_s) <= CLOSE_S or len(log.early) >= EARLY:
            self._place(log)
        self._emit(self._complete_until())

    def _place(self, log: WorkerLog) -> None:
        """Puts a worker's intervals where they belong on the master's clock."""
        if log.shift_s is None:
            log.shift_s = round(log.behind_s) if CLOSE_S < abs(log.behind_s) < math.inf else 0
        for interval in log.early:
            moved = replace(interval, start_s=interval.start_s + log.shift_s)
            log.latest = max(log.latest, moved.second)
            self._seconds[moved.second].add(log, moved)
        log.early.clear()

    def started(self, worker: str, at_s: float, *, now_s: float) -> None:
        """A worker takes part in the run; ``at_s`` is when it sent this message, by its own clock."""
        log = self._log_that_began(worker)
        log.behind_s = min(log.behind_s, now_s - at_s)

    def done(self, worker: str, intervals: int, warnings: Iterable[RunWarning] = ()) -> None:
        """A worker has sent all its intervals, this many, and its warnings."""
        log = self._log_that_began(worker)
        log.expect(intervals + 1)
        self._place(log)
        log.done = True
        self._warnings += [replace(warning, text=f"{log.name}: {warning.text}") for warning in warnings]
        self._changed.set()

    def ending(self, *, now_s: float) -> None:
        """The run is told to end. Workers that had the time to begin and have not are missed, and not waited for.

        If none has begun and none had the time to, the run ended at once or before its first user: perhaps none was
        ordered to begin, and so none is missed.
        """
        for log in self.workers.values():
            log.absent = not log.begun and now_s - log.ordered_s > BEGIN_S
        if not any(log.begun or log.absent for log in self.workers.values()):
            self.workers.clear()

    def hurry(self) -> None:
        """Ends `wait`, without waiting for the remaining workers."""
        self._hurried = True
        self._changed.set()

    def wait(self, is_gone: Callable[[str], bool], timeout_s: float) -> None:
        """Blocks the greenlet until all workers are done, gone or absent, or the timeout has passed."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._hurried:
            if all(log.done or log.absent or is_gone(name) for name, log in self.workers.items()):
                return
            self._changed.clear()
            self._changed.wait(0.25)

    def finish(self) -> list[RunWarning]:
        """Emits the remaining intervals; returns warnings about missing data and skewed clocks."""
        for log in self.workers.values():
            self._place(log)
        self._emit(None)
        for log in self.workers.values():
            self._warnings += _doubts(log)
        return self._warnings

    def _log_of(self, worker: str) -> WorkerLog:
        return self.workers.setdefault(worker, WorkerLog(worker))

    def _log_that_began(self, worker: str) -> WorkerLog:
        log = self._log_of(worker)
        log.begun = True
        return log

    def _complete_until(self) -> int:
        """The last second that all active workers have sent, or have had `PATIENCE_S` to send."""
        waiting = [log.latest for log in self.workers.values() if not log.done]
        newest = max(log.latest for log in self.workers.values())
        return max(min(waiting, default=newest), newest - PATIENCE_S)

    def _emit(self, until: int | None) -> None:
        for second in sorted(self._seconds):
            if until is None or second < until:
                emitted = self._seconds.pop(second)
                self._on_interval(emitted.merged())
                # Only now: the first interval of the measured window has all workers start over.
                for add in emitted.shares:
                    add()


def _doubts(log: WorkerLog) -> Iterator[RunWarning]:
    if log.absent:
        yield RunWarning(
            name="worker-lost",
            text=f"{log.name} was lost: it was ordered to take part and had not begun by the end, so its part of the "
            "load is missing",
            remedy="find out whether it was killed, or what its listeners of test_start were waiting for",
            invalidates=True,
        )
    elif not log.done:
        last = (
            f"it last sent figures at {when(log.latest + 1)}" if log.latest else "it never sent any figures"
        )
        yield RunWarning(
            name="worker-lost",
            text=f"{log.name} was lost: {last}; what it did after that is unknown, so the totals are too low",
            remedy="find out why it ended; the figures of the other workers are complete",
            invalidates=True,
        )
    if log.missing:
        yield RunWarning(
            name="intervals-missing",
            text=f"{counted(log.missing, 'interval')} of {log.name} never arrived, so the totals are too low",
            remedy="see the logs of the master and of that worker",
            invalidates=True,
        )
    if (off_s := (log.shift_s or 0) - log.behind_s) > SKEW_S:
        yield RunWarning(
            name="clock-skew",
            text=f"the first messages of {log.name} came late, so its figures are {off_s:.1f} s later "
            "than those of other workers",
            remedy="see what held up the network, that worker or the master; synchronize the hosts' clocks (NTP)",
        )
    elif SKEW_S < abs(log.behind_s) < math.inf:
        which = "behind" if log.behind_s > 0 else "ahead of"
        yield RunWarning(
            name="clock-skew",
            text=f"the clock of {log.name} is {abs(log.behind_s):.1f} s {which} the master's; its intervals were "
            "shifted to the master's clock",
            remedy="synchronize the hosts' clocks (NTP)",
        )
