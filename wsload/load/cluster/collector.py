"""The master's side of the results: workers' intervals in, merged seconds out, nobody forgotten.

Clocks of hosts differ. An interval is placed by the master's clock: when it arrived, less what it took at least
to arrive, tells how far its worker's clock is off. That is rounded to whole seconds, so that intervals, which all
begin with a second of their own clock, still cover the same second as nearly as they can.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

import gevent
import gevent.event

from wsload.judge.run.watch import Watch
from wsload.measure.interval import Interval, merge
from wsload.results.run import RunWarning
from wsload.words import counted, when

logger = logging.getLogger("wsload")

PATIENCE_S: Final = 3
"""A second is merged without a worker that has not sent it for so long; what comes later is added later."""
BORDER_S: Final = 0.02
"""Intervals begin at full seconds, give or take so much."""
CLOSE_S: Final = 0.8
"""Clocks that differ by less are taken to agree: a message may take that long."""
SKEW_S: Final = 1.0
"""Clocks that differ by more are worth a word."""


class WorkerLog(Watch):
    """What one worker delivered."""

    def __init__(self, name: str) -> None:
        super().__init__(f"worker {name}")
        self.latest = 0
        """The last second it delivered, by the master's clock."""
        self.number = 0
        """Of its last interval: they are numbered from 1."""
        self.missing = 0
        """Intervals that never arrived."""
        self.behind_s = math.inf
        """How far its clock is behind the master's, as far as is known; below 0 where it is ahead."""
        self.done = False
        """Whether it said that this was all."""

    @property
    def shift_s(self) -> int:
        """What to add to the start of its intervals."""
        return round(self.behind_s) if CLOSE_S < abs(self.behind_s) < math.inf else 0

    def expect(self, number: int) -> None:
        """Its next interval has this number."""
        self.missing += number - self.number - 1
        self.number = number


class Collector:
    """Merges the workers' intervals by the second of the wall clock, and hands them on in order."""

    def __init__(self, on_interval: Callable[[Interval], None]) -> None:
        self._on_interval = on_interval
        self._seconds: dict[int, list[Interval]] = {}
        self._changed = gevent.event.Event()
        self._hurried = False
        self._warnings: list[RunWarning] = []
        self.workers: dict[str, WorkerLog] = {}
        """By Locust's id of the worker."""

    def add(self, worker: str, number: int, interval: Interval, *, now_s: float) -> None:
        """One interval of one worker, its ``number`` in the run from 1, arrived ``now_s`` by the master's clock."""
        log = self._log_of(worker)
        if number <= log.number:
            logger.warning("Interval %d of %s came twice: not counted again", number, log.name)
            return
        log.expect(number)
        log.behind_s = min(log.behind_s, now_s - (interval.start_s + interval.length_s))
        interval = replace(interval, start_s=interval.start_s + log.shift_s)
        log.add(interval)
        second = int(interval.start_s + BORDER_S)
        log.latest = max(log.latest, second)
        self._seconds.setdefault(second, []).append(interval)
        self._hand_on(self._complete_until())

    def started(self, worker: str, at_s: float, *, now_s: float) -> None:
        """The worker takes part in the run; it said so ``at_s`` by its own clock."""
        log = self._log_of(worker)
        log.behind_s = min(log.behind_s, now_s - at_s)

    def done(self, worker: str, intervals: int, warnings: Iterable[RunWarning] = ()) -> None:
        """The worker has sent all it had, so many intervals, and says what it noticed."""
        log = self._log_of(worker)
        log.expect(intervals + 1)
        log.done = True
        self._warnings += [replace(warning, text=f"{log.name}: {warning.text}") for warning in warnings]
        self._changed.set()

    def hurry(self) -> None:
        """Workers that are not done are not waited for any longer."""
        self._hurried = True
        self._changed.set()

    def wait(self, is_gone: Callable[[str], bool], timeout_s: float) -> None:
        """Blocks the greenlet until all workers are done or gone, or the time is up."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._hurried:
            if all(log.done or is_gone(name) for name, log in self.workers.items()):
                return
            self._changed.clear()
            self._changed.wait(0.25)

    def finish(self) -> list[RunWarning]:
        """Hands on all that is left; says what is missing, and whose clock is wrong."""
        self._hand_on(None)
        for log in self.workers.values():
            self._warnings += _against(log)
        return self._warnings

    def _log_of(self, worker: str) -> WorkerLog:
        return self.workers.setdefault(worker, WorkerLog(worker))

    def _complete_until(self) -> int:
        """The last second that every worker still at work has delivered, or had time enough to."""
        waiting = [log.latest for log in self.workers.values() if not log.done]
        newest = max(log.latest for log in self.workers.values())
        return max(min(waiting, default=newest), newest - PATIENCE_S)

    def _hand_on(self, until: int | None) -> None:
        for second in sorted(self._seconds):
            if until is None or second < until:
                self._on_interval(merge(self._seconds.pop(second)))


def _against(log: WorkerLog) -> Iterator[RunWarning]:
    """What there is to say against a worker."""
    if not log.done:
        yield RunWarning(
            name="worker-lost",
            text=f"{log.name} was lost: {_last_word(log)}; what it did after that is not known, "
            "so the totals are too low",
            remedy="see why it ended; the figures of the others are complete",
            invalidates=True,
        )
    if log.missing:
        yield RunWarning(
            name="intervals-missing",
            text=f"{counted(log.missing, 'interval')} of {log.name} never arrived, so the totals are too low",
            remedy="see the logs of the master and of that worker",
            invalidates=True,
        )
    if SKEW_S < abs(log.behind_s) < math.inf:
        which = "behind" if log.behind_s > 0 else "ahead of"
        yield RunWarning(
            name="clock-skew",
            text=f"the clock of {log.name} is {abs(log.behind_s):.1f} s {which} the master's: what it recorded "
            "was placed by the master's clock",
            remedy="have the hosts' clocks synchronized (NTP)",
        )


def _last_word(log: WorkerLog) -> str:
    if not log.latest:
        return "it never delivered anything"
    return f"it last delivered at {when(log.latest + 1)}"
