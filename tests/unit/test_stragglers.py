"""Users that don't stop in time are dropped, and only those of their own run."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import gevent
import pytest

from wsload.load.locust import stragglers as stragglers_module
from wsload.load.locust.handle import UserHandle
from wsload.load.locust.stragglers import STEP_S, Stragglers


class Guest:
    """A user that never stops."""

    def _killed(self, again: bool) -> None:
        pass


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> list[UserHandle]:
    monkeypatch.setattr(stragglers_module, "leave_at_once", lambda: None)
    return [UserHandle(Guest())]


@pytest.fixture
def stragglers(users: list[UserHandle]) -> Stragglers:
    watchdog: Any = Namespace(block=None)
    return Stragglers(Namespace(runner=Namespace(user_greenlets=users)), watchdog)


def test_after_the_grace_period_they_are_dropped(users: list[UserHandle], stragglers: Stragglers) -> None:
    stragglers.begin(0)
    users[0].join(timeout=5)
    assert users[0].dead and stragglers.dropped == 1


def test_the_grace_period_of_one_run_does_not_concern_the_next(
    users: list[UserHandle], stragglers: Stragglers
) -> None:
    stragglers.begin(STEP_S)
    gevent.sleep(0)
    stragglers.reset()
    users[0].join(timeout=STEP_S * 4)
    assert not users[0].dead and stragglers.dropped == 0
