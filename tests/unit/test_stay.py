from __future__ import annotations

import gevent
import pytest
from gevent.pool import Group

from wsload.load.locust import handle as stay_module
from wsload.load.locust.handle import Stay


class Guest:
    """A user as its stay knows it; ends its stay when it is told to for the ``patience``-th time."""

    def __init__(self, patience: int = 1) -> None:
        self.told: list[bool] = []
        self.patience = patience
        self.stay = Stay(self)

    def _killed(self, again: bool) -> None:
        self.told.append(again)
        if len(self.told) == self.patience:
            gevent.spawn(self.stay.finish, None, None)


def test_a_group_counts_it_until_it_ends() -> None:
    guest, group = Guest(), Group()
    group.add(guest.stay)
    assert len(group) == 1 and not guest.stay.dead
    assert guest.stay.args[0] is guest
    guest.stay.finish(None, None)
    assert group.join(timeout=5)
    assert len(group) == 0 and guest.stay.dead and guest.told == []


def test_a_group_that_kills_waits_for_it() -> None:
    guest, group = Guest(), Group()
    group.add(guest.stay)
    group.kill(block=True, timeout=5)
    assert guest.told == [False] and guest.stay.dead and len(group) == 0


def test_killed_alone_it_is_waited_for() -> None:
    guest, group = Guest(), Group()
    group.add(guest.stay)
    group.killone(guest.stay, timeout=5)
    assert guest.told == [False] and guest.stay.dead


def test_who_does_not_go_is_told_again() -> None:
    guest = Guest(patience=2)
    guest.stay.kill(block=False)
    assert not guest.stay.dead
    guest.stay.kill(timeout=5)
    assert guest.told == [False, True] and guest.stay.dead
    guest.stay.kill()
    assert guest.told == [False, True]


def test_who_never_goes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stay_module, "PATIENCE_S", 0.01)
    guest = Guest(patience=99)
    guest.stay.kill(block=False)
    guest.stay.kill(timeout=5)
    assert guest.stay.dead


def test_an_error_is_shown_as_a_greenlets_is_and_once() -> None:
    guest, seen = Guest(), []
    hub = gevent.get_hub()
    before = hub.handle_error
    hub.handle_error = lambda context, kind, value, traceback: seen.append(value)
    try:
        error = RuntimeError("a bug")
        guest.stay.finish(None, error)
        guest.stay.finish(None, RuntimeError("another"))
        gevent.sleep(0)
        gevent.sleep(0)
    finally:
        hub.handle_error = before
    assert seen == [error] and guest.stay.error is error
