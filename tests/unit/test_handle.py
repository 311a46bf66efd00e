from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.pool import Group

from wsload.load.locust import handle as handle_module
from wsload.load.locust.handle import UserHandle


class Guest:
    """A user as its handle knows it; ends its handle when it is told to for the ``patience``-th time."""

    def __init__(self, patience: int = 1) -> None:
        self.told: list[bool] = []
        self.patience = patience
        self.handle = UserHandle(self)

    def _killed(self, again: bool) -> None:
        self.told.append(again)
        if len(self.told) == self.patience:
            gevent.spawn(self.handle.finish, None, None)


def test_a_group_counts_it_until_it_ends() -> None:
    guest, group = Guest(), Group()
    group.add(guest.handle)
    assert len(group) == 1 and not guest.handle.dead
    assert guest.handle.args[0] is guest
    guest.handle.finish(None, None)
    assert group.join(timeout=5)
    assert len(group) == 0 and guest.handle.dead and guest.told == []


def test_a_group_that_kills_waits_for_it() -> None:
    guest, group = Guest(), Group()
    group.add(guest.handle)
    group.kill(block=True, timeout=5)
    assert guest.told == [False] and guest.handle.dead and len(group) == 0


def test_killed_alone_it_is_waited_for() -> None:
    guest, group = Guest(), Group()
    group.add(guest.handle)
    group.killone(guest.handle, timeout=5)
    assert guest.told == [False] and guest.handle.dead


def test_who_does_not_go_is_told_again() -> None:
    guest = Guest(patience=2)
    guest.handle.kill(block=False)
    assert not guest.handle.dead
    guest.handle.kill(timeout=5)
    assert guest.told == [False, True] and guest.handle.dead
    guest.handle.kill()
    assert guest.told == [False, True]


def test_who_never_goes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handle_module, "PATIENCE_S", 0.01)
    guest = Guest(patience=99)
    guest.handle.kill(block=False)
    guest.handle.kill(timeout=5)
    assert guest.handle.dead


def test_an_error_is_shown_as_a_greenlets_is_and_once() -> None:
    guest, seen = Guest(), []
    hub = gevent.get_hub()
    before = hub.handle_error
    hub.handle_error = lambda context, kind, value, traceback: seen.append(value)
    try:
        error = RuntimeError("a bug")
        guest.handle.finish(None, error)
        guest.handle.finish(None, RuntimeError("another"))
        gevent.sleep(0)
        gevent.sleep(0)
    finally:
        hub.handle_error = before
    assert seen == [error] and guest.handle.error is error


def test_a_user_on_a_blocked_loop_is_dropped_at_once() -> None:
    guest = Guest(patience=99)
    guest.handle.drop(blocked=True)
    assert guest.handle.dead and guest.told == []


def test_a_user_that_is_dropped_is_cancelled_before_its_connections_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(handle_module, "PATIENCE_S", 0.02)
    guest, done = Guest(patience=99), []
    guest._kill = lambda: done.append("killed")  # type: ignore[attr-defined]

    class Loop:
        @staticmethod
        def call_soon_threadsafe(function: Callable[[], object]) -> None:
            function()

    class Task:
        get_loop = Loop
        cancel = staticmethod(lambda: done.extend(["cancelled", *guest.told]))

    guest.handle.task = Task  # type: ignore[assignment]
    guest.handle.drop(blocked=False)
    assert not guest.handle.dead
    guest.handle.join(5)
    assert done == ["killed", "cancelled"] and guest.told == [True] and guest.handle.dead
