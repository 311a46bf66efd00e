"""Locust's quitting event: whatever a listener does, what comes after the listeners is done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.event import Events

from wsload.load.locust.quitting import STEP_S, fire_once


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (None, 0), ("a message", 1)])
def test_a_listener_that_exits_sets_the_code_and_skips_nothing_of_ours(code: object, expected: int) -> None:
    def leave(**_: object) -> None:
        raise SystemExit(code)

    events, called = Events(), []
    environment = SimpleNamespace(process_exit_code=None)
    for listener in (lambda **_: called.append("first"), leave, lambda **_: called.append("last")):
        events.quitting.add_listener(listener)
    fire_once(events, lambda: called.append("before"), lambda: called.append(environment.process_exit_code))
    events.quitting.fire(environment=environment)
    assert called == ["before", "first", "last", expected]
    called.clear()
    events.quitting.fire(environment=environment, reverse=True)
    assert called == ["before", "last", "first", expected]


@pytest.mark.parametrize(("exits", "times"), [(True, 1), (False, 2)])
def test_who_is_told_second_ends_the_process_only_if_the_first_could_not(exits: bool, times: int) -> None:
    """An exit that has begun must not be disturbed: the hub still runs while the interpreter shuts down."""
    events, settled = Events(), []
    fire_once(events, lambda: None, lambda: settled.append(True))

    def shut_down() -> None:
        events.quitting.fire(environment=None)
        if exits:
            events.quit.fire(exit_code=0)

    first: Any = gevent.spawn(shut_down)
    first.join()
    second: Any = gevent.spawn(shut_down)
    second.join(3 * STEP_S)
    assert (len(settled), second.dead) == (times, not exits)
    second.kill()
