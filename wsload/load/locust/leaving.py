"""Sees to it that the users of a run that ends do end, whatever their classes do."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import gevent
import gevent.event

from wsload.load.locust.blocked import frames_of_task, place_of
from wsload.load.locust.compat import users_at_work
from wsload.load.locust.exit import leave_at_once
from wsload.load.locust.handle import UserHandle
from wsload.load.locust.watchdog import SAID_S, Watchdog
from wsload.words import counted, listed

logger = logging.getLogger("wsload")

STEP_S: Final = 0.1


class Leaving:
    """Drops the users that have not ended in time; Locust waits for each of them, for ever if need be."""

    def __init__(self, environment: Any, watchdog: Watchdog) -> None:
        self._environment = environment
        self._watchdog = watchdog
        self._hurried = gevent.event.Event()
        self._greenlet: gevent.Greenlet | None = None
        self.dropped = 0
        """Users of this run that were dropped."""
        self.places: dict[str, str] = {}
        """Where the first of each class waited, for people, unless the loop was blocked."""

    def reset(self) -> None:
        """A new run begins."""
        self._hurried.clear()
        self.dropped = 0
        self.places.clear()

    def begin(self, grace_s: float) -> None:
        """The users are told to end just now; those that have not in so many seconds are dropped."""
        if self._greenlet is None or self._greenlet.dead:
            self._greenlet = gevent.spawn(self._see_off, grace_s)

    def hurry(self) -> None:
        """Drops those that have not ended at once."""
        self._hurried.set()

    def _see_off(self, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        while users := [
            each for each in users_at_work(self._environment.runner) if isinstance(each, UserHandle)
        ]:
            block = self._watchdog.block
            blocked = block is not None and block.seconds >= SAID_S
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
        logger.error("%s not ended in time, dropped%s", counted(len(users), "user"), where)
        leave_at_once()
