"""Makes Locust's ``quitting`` event fire once, however often the process is told to end."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust.event import EventHook, Events

from wsload.load.locust.compat import listeners, replace_fire

PATIENCE_S: Final = 60.0
"""How long a repeated request to end waits for the first to finish."""
STEP_S: Final = 0.1


def fire_once(events: Events, before: Callable[[], object], then: Callable[[], object]) -> None:
    """Calls ``before`` and ``then`` around all listeners of ``quitting``, and lets only one greenlet fire it.

    If a process manager sends SIGTERM twice, or somebody presses Ctrl-C as well, Locust fires the event each time and
    then exits, the second time while the first is still ending the run. Now the second waits for the first to end
    the process.

    A listener that calls `sys.exit` sets the exit code, as if it had set ``process_exit_code``; the others are called
    all the same.
    """
    fire = events.quitting.fire
    first: Any = None
    exiting = False

    def exit_begins(**_: Any) -> None:
        nonlocal exiting
        exiting = True

    # Locust's last event. What follows is `sys.exit`, after which the hub runs on: Locust waits for its workers, and
    # gevent lets the other greenlets run once more.
    events.quit.add_listener(exit_begins)

    @functools.wraps(fire)
    def fire_or_wait(*, reverse: bool = False, **arguments: Any) -> None:
        nonlocal first
        me = gevent.getcurrent()
        first = me if first is None else first  # a greenlet that has ended is false
        deadline = time.monotonic() + PATIENCE_S
        while first is not me and (exiting or not first.dead) and time.monotonic() < deadline:
            gevent.sleep(STEP_S)
        before()
        for listener in listeners(events.quitting)[:: -1 if reverse else 1]:
            _call(listener, arguments)
        then()

    replace_fire(events.quitting, fire_or_wait)


def _call(listener: Callable[..., object], arguments: dict[str, Any]) -> None:
    """Calls one listener as Locust does."""
    alone = EventHook()
    alone.add_listener(listener)
    try:
        alone.fire(**arguments)
    except SystemExit as leaving:  # it would exit with this code whatever was judged
        code = leaving.code
        arguments["environment"].process_exit_code = code if isinstance(code, int) else int(code is not None)
