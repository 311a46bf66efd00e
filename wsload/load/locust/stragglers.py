"""Drops users that don't stop in time when a run ends."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import gevent
import gevent.event

from wsload.load.locust.blocked import frames_of_task, place_of
from wsload.load.locust.compat import running_users
from wsload.load.locust.exit import leave_at_once
from wsload.load.locust.handle import UserHandle
from wsload.load.locust.watchdog import REPORTED_S, Watchdog
from wsload.words import counted, listed

logger = logging.getLogger("wsload")

STEP_S: Final = 0.1


class Stragglers:
    """Drops users that have not stopped within a grace period; Locust would wait for them forever."""

    def __init__(self, environment: Any, watchdog: Watchdog) -> None:
        self._environment = environment
        self._watchdog = watchdog
        self._hurried = gevent.event.Event()
        self._greenlet: gevent.Greenlet | None = None
        self.dropped = 0
        """Users of this run that were dropped."""
        self.places: dict[str, str] = {}
        """By user class, where the first dropped user was waiting; empty if the loop was blocked."""

    def reset(self) -> None:
        """Starts a new run, whose users the last one's grace period does not concern."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._hurried.clear()
        self.dropped = 0
        self.places.clear()

    def begin(self, grace_s: float) -> None:
        """Call it when users are told to stop; those that have not after ``grace_s`` are dropped."""
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = gevent.spawn(self._await_users, grace_s)

    def hurry(self) -> None:
        """Ends the grace period now."""
        self._hurried.set()

    def _await_users(self, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        while users := [
            each for each in running_users(self._environment.runner) if isinstance(each, UserHandle)
        ]:
            block = self._watchdog.block
            blocked = block is not None and block.seconds >= REPORTED_S
            if blocked or time.monotonic() > deadline or self._hurried.is_set():
                self._drop(users, blocked=blocked)
                return
            self._hurried.wait(STEP_S)

    def _drop(self, users: list[UserHandle], *, blocked: bool) -> None:
        self.dropped += len(users)
        for user in users:
            if not blocked and user.task is not None and (place := place_of(frames_of_task(user.task))):
                self.places.setdefault(type(user.args[0]).__name__, place.text)
            user.drop(blocked=blocked)
        where = f": {listed(list(self.places.values()))}" if self.places else ""
        logger.error("%s did not stop in time and were dropped%s", counted(len(users), "user"), where)
        leave_at_once()
