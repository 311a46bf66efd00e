"""Lets a run begin after all listeners of Locust's ``test_start``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from locust.event import EventHook

from wsload.load.locust.compat import replace_fire


def fire_around(event: EventHook, before: Callable[..., object], after: Callable[..., object]) -> None:
    """Calls ``before`` and ``after`` with the event's arguments, around all its listeners, even if one raises.

    Both are called as Locust calls a listener, which logs most exceptions.
    """
    fire, first, last = event.fire, EventHook(), EventHook()
    first.add_listener(before)
    last.add_listener(after)

    @functools.wraps(fire)
    def fire_all(*, reverse: bool = False, **arguments: Any) -> None:
        first.fire(**arguments)
        try:
            fire(reverse=reverse, **arguments)
        finally:
            last.fire(**arguments)

    replace_fire(event, fire_all)
