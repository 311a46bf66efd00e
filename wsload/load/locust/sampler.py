"""A sampling profiler for the loop while it is late: finds the line of a user class that holds it up."""

from __future__ import annotations

import time
from types import CodeType
from typing import Final

import gevent

from wsload.load.locust.blocked import is_user_code, place_of
from wsload.load.locust.bridge import Bridge
from wsload.measure.names import LATE_IN

TICK_S: Final = 0.02
LATE_NS: Final = 2_000_000
"""A loop that is late by less is not sampled."""


class Sampler:
    """Runs on the hub during a recording; counts each sample, and its place if that is in the user's code."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._greenlet: gevent.Greenlet | None = None
        self._texts: dict[tuple[CodeType, int], str] = {}

    def start(self) -> None:
        self.stop()
        self._greenlet = gevent.spawn(self._sample)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _sample(self) -> None:
        engine = self._bridge.engine
        while True:
            gevent.sleep(TICK_S)
            if time.monotonic_ns() - engine.recorder.lateness.due_ns > LATE_NS:
                engine.call(self._count, self._place())

    def _place(self) -> str:
        """The innermost place in the user's code, for people; empty if there is none."""
        frames = self._bridge.thread.frames()
        own = next((each for each in frames if is_user_code(each)), None)
        if own is None:
            return ""
        key = own.f_code, own.f_lineno
        if key not in self._texts:
            place = place_of(frames)
            self._texts[key] = place.text if place is not None else own.f_code.co_name
        return self._texts[key]

    def _count(self, place: str) -> None:
        """On the loop's thread, once it is no longer blocked."""
        recorder = self._bridge.engine.recorder
        recorder.count.late_samples += 1
        if place:
            recorder.add(f"{LATE_IN}{place}")
