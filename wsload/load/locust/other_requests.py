"""Requests that are not wsload's: those that tasks, HttpUsers and plugins fire as Locust's ``request`` event.

wsload's results have them too, as values under their names, since Locust documents the event as the way to
record custom times.
"""

from __future__ import annotations

import collections
import contextlib
import math
from typing import Any, Final

from wsload.load.engine.engine import Engine
from wsload.load.locust.statistics import TYPE
from wsload.measure.given_names import clean
from wsload.measure.names import OTHER, Kind

LONGEST_KIND: Final = 100
"""Longer kinds of failure are cut to this many characters."""
FARTHEST_MS: Final = 1e12
"""Longer times are cut to this one, which is out of range too, and in ns fits into 64 bits."""


class _Recorded(str):
    """Marks the request type of an event that was already recorded."""

    __slots__ = ()


class OtherRequests:
    """Takes ``request`` events on any thread and records them on the loop's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._fired: collections.deque[tuple[str, str, int, str]] = collections.deque()
        self._scheduled = False
        """Whether `_record` will yet be called, and look at everything fired until then."""
        self._known: dict[tuple[str, str], str] = {}
        self.names: set[str] = set()
        """The names of such requests in this run's results; what it holds belongs to the loop's thread."""

    def begin(self) -> None:
        """Starts a run, whose names the recorder doesn't know yet."""
        self._known, self.names = {}, set()

    def on_request(
        self, request_type: str, name: str, response_time: Any = None, exception: Any = None, **_: Any
    ) -> None:
        """A listener of the event; ``response_time`` is in ms, or None if nothing was timed."""
        if request_type is TYPE or isinstance(request_type, _Recorded):
            return
        timed = isinstance(response_time, int | float) and 0 <= response_time < math.inf
        time_ns = int(min(response_time, FARTHEST_MS) * 1e6) if timed else -1
        self._fired.append((str(request_type), str(name), time_ns, _kind_of(exception)))
        if not self._scheduled:  # two threads may both see this; the second call then finds nothing
            self._scheduled = True
            self._engine.call(self._record)

    def recorded(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Records an event before it is fired; returns the arguments to fire it with."""
        with contextlib.suppress(TypeError):  # without a name: Locust's own listener will complain
            self.on_request(**arguments)
            return arguments | {"request_type": _Recorded(arguments["request_type"])}
        return arguments

    # On the loop's thread

    def _record(self) -> None:
        self._scheduled = False  # before looking: what is fired from now on schedules anew
        recorder = self._engine.recorder
        while self._fired:
            request_type, name, time_ns, kind = self._fired.popleft()
            known = self._name_of(request_type, name)
            if kind:
                recorder.failed(known, kind, time_ns)
            elif time_ns >= 0:
                recorder.values[known].append(time_ns)

    def _name_of(self, request_type: str, name: str) -> str:
        """The name in the results: the request's own, unless something else is measured under that name."""
        key = request_type, name
        found = self._known.get(key)
        if found is None or found not in self._engine.recorder.kinds:
            found = self._known[key] = self._declare(name, f"{name} ({request_type})")
            self.names.add(found)
        return found

    def _declare(self, *candidates: str) -> str:
        recorder = self._engine.recorder
        for name in candidates:
            with contextlib.suppress(ValueError):
                if clean(name) not in recorder.kinds:
                    return recorder.declare(name, Kind.VALUE).name
        return recorder.declare(OTHER, Kind.VALUE).name


def _kind_of(exception: Any) -> str:
    if not exception:
        return ""
    name = f"{type(exception).__name__}: " if isinstance(exception, BaseException) else ""
    return (name + " ".join(str(exception).split()))[:LONGEST_KIND].rstrip(": ") or "failed"
