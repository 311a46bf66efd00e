"""Locust's ``quitting`` event, which a process fires as often as it is told to end, made to happen once."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust.event import EventHook

PATIENCE_S: Final = 60.0
"""Whoever asks for the end again leaves it to the first for so long."""
STEP_S: Final = 0.1


def fire_once(quitting: EventHook, then: Callable[[], object]) -> None:
    """Has ``then`` called after all listeners of the event, and the event fired by one greenlet only.

    A process manager sends SIGTERM twice, or a person presses Ctrl-C too: each time Locust fires the event and
    then exits, the second time in the middle of what the first one began. Now the second waits for the
    first to end the process.
    """
    fire = quitting.fire
    first: Any = None

    @functools.wraps(fire)
    def fire_or_wait(**arguments: Any) -> None:
        nonlocal first
        me = gevent.getcurrent()
        first = first or me
        deadline = time.monotonic() + PATIENCE_S
        while first is not me and not first.dead and time.monotonic() < deadline:
            gevent.sleep(STEP_S)
        fire(**arguments)
        then()

    quitting.fire = fire_or_wait  # type: ignore[method-assign]
