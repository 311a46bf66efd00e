"""The master's side of the results: workers' intervals in, merged seconds out, nobody forgotten."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import gevent
import gevent.event

from wsload.judge.run.validity import Watch
from wsload.measure.interval import Interval, merge
from wsload.results.run import RunWarning
from wsload.words import when

logger = logging.getLogger("wsload")

PATIENCE_S: Final = 3
"""A second is merged without a worker that has not sent it for so long; what comes later is added later."""
BORDER_S: Final = 0.02
"""Intervals begin at full seconds, give or take so much."""


class WorkerLog(Watch):
    """What one worker delivered."""

    def __init__(self, name: str) -> None:
        super().__init__(f"worker {name}")
        self.latest = 0
        """The last second it delivered, by the wall clock."""
        self.done = False
        """Whether it said that this was all."""


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

    def add(self, worker: str, interval: Interval) -> None:
        """One interval of one worker."""
        log = self.workers.setdefault(worker, WorkerLog(worker))
        log.add(interval)
        second = int(interval.start_s + BORDER_S)
        log.latest = max(log.latest, second)
        self._seconds.setdefault(second, []).append(interval)
        self._hand_on(self._complete_until())

    def started(self, worker: str) -> None:
        """The worker takes part in the run."""
        self.workers.setdefault(worker, WorkerLog(worker))

    def done(self, worker: str, warnings: Iterable[RunWarning] = ()) -> None:
        """The worker has sent all it had, and says what it noticed."""
        log = self.workers.setdefault(worker, WorkerLog(worker))
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
        """Hands on all that is left; says which workers never finished."""
        self._hand_on(None)
        return self._warnings + [
            RunWarning(
                name="worker-lost",
                text=f"{log.name} was lost: {_last_word(log)}; what it did after that is not known",
                remedy="see why it ended; the figures of the others are complete",
                invalidates=True,
            )
            for log in self.workers.values()
            if not log.done
        ]

    def _complete_until(self) -> int:
        """The last second that every worker still at work has delivered, or had time enough to."""
        waiting = [log.latest for log in self.workers.values() if not log.done]
        newest = max(log.latest for log in self.workers.values())
        return max(min(waiting, default=newest), newest - PATIENCE_S)

    def _hand_on(self, until: int | None) -> None:
        for second in sorted(self._seconds):
            if until is None or second < until:
                self._on_interval(merge(self._seconds.pop(second)))


def _last_word(log: WorkerLog) -> str:
    if not log.latest:
        return "it never delivered anything"
    return f"it last delivered at {when(log.latest + 1)}"
