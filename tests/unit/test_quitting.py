"""Locust's quitting event: whatever a listener does, what comes after the listeners is done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from locust.event import EventHook

from wsload.load.locust.quitting import fire_once


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (None, 0), ("a message", 1)])
def test_a_listener_that_exits_sets_the_code_and_skips_nothing_of_ours(code: object, expected: int) -> None:
    def leave(**_: object) -> None:
        raise SystemExit(code)

    hook, settled = EventHook(), []
    hook.add_listener(leave)
    environment = SimpleNamespace(process_exit_code=None)
    fire_once(hook, lambda: settled.append(environment.process_exit_code))
    hook.fire(environment=environment)
    assert settled == [expected]
