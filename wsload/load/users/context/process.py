"""What the users of a process share: settings, the engine behind its bridge, the pacer, numbers."""

from __future__ import annotations

import itertools
import logging
import secrets
import time
import weakref
from argparse import Namespace
from collections.abc import Callable
from typing import Any, Final

from wsload.errors import UsageError
from wsload.load.engine.engine import Engine
from wsload.load.engine.pacer import Pacer
from wsload.load.locust.arrivals import Arrivals, phase_of_worker
from wsload.load.locust.bridge import Bridge
from wsload.load.locust.ending import Listeners, end_run
from wsload.load.options.settings import Settings
from wsload.load.users.context.feed import Rows
from wsload.load.ws.opening import Opener
from wsload.measure.profile import Course
from wsload.results.machine import clock_id

logger = logging.getLogger("wsload")

context_listeners: Final[list[Callable[[Any], object]]] = []
"""Called with each Locust environment when its first user is created."""

LONG_LOOKS: Final = 3
"""This many of a run's connections wait longer for surplus answers before they are closed."""
MAX_REPORTED: Final = 1_000
"""At most this many different errors of user classes are logged in a run."""


class ProcessContext:
    """One per process and Locust environment, created when first used, after any fork."""

    _of: Final[weakref.WeakKeyDictionary[Any, ProcessContext]] = weakref.WeakKeyDictionary()

    def __init__(self, environment: Any, *, beside: ProcessContext | None = None) -> None:
        """``beside`` is the context of a comparison's first side, whose event loop this one shares."""
        self.environment = environment
        self.bridge: Bridge = Bridge(on_log=logger.error, beside=None if beside is None else beside.bridge)
        self._beside: Final = beside
        self.arrivals: Final = Arrivals(
            # A worker's index is only known after its master has acknowledged it.
            phase=(lambda: phase_of_worker(getattr(environment.runner, "worker_index", 0)))
            if beside is None
            else lambda: 0.5
        )
        self.clock: Final = clock_id()
        """Identifies this host's monotonic clock in tokens."""
        self.nonce: Final = secrets.token_hex(3)
        """Distinguishes this process's users from all others; 6 characters."""
        self.rows: Final = Rows()
        """Which rows of feeds come next."""
        self.target_users = 0
        """Target number of users in all processes, over whom the total rate is spread; 0 while unknown."""
        self.on_single_user_end: Callable[[], object] = lambda: None
        """Called when the user of ``run_single_user`` has ended."""
        self.on_forgotten: Callable[[str, str], object] = lambda *_: None
        """Called on any thread with a call that was never awaited, and where it was made."""
        self._numbers = itertools.count(1)
        self._reported: set[tuple[type, str]] = set()
        self._listeners: Final = Listeners(environment)
        self.refused = False
        """Whether users that Locust starts are to end at once, because the run could not start or is ending."""
        self._pacer: Pacer | None = None
        self._opener: Opener | None = None
        self.long_looks = LONG_LOOKS
        """How many of `LONG_LOOKS` are left."""
        try:
            self.configure()
        except UsageError:
            self._use(Settings.of(Namespace()))

    @classmethod
    def of(cls, environment: Any) -> ProcessContext:
        """The context of this environment."""
        if environment not in cls._of:
            cls._of[environment] = cls(environment)
            for told in context_listeners:
                told(environment)
        return cls._of[environment]

    @classmethod
    def beside(cls, environment: Any, first: Any) -> None:
        """Makes the context of a comparison's second environment."""
        cls._of[environment] = cls(environment, beside=cls.of(first))

    def configure(self) -> None:
        """Reads the options, at the start of every run; raises `UsageError`."""
        self._use(Settings.of(self.environment.parsed_options or Namespace(), judges=False))

    def _use(self, settings: Settings) -> None:
        self.settings = settings
        self._began_ns = time.monotonic_ns()
        self.bridge.engine.call(self._renew)

    def _renew(self) -> None:
        # On the loop's thread, before the run's first user, so nothing is replaced while it is in use.
        self._pacer = self._opener = None
        self.rows.begin()
        self._reported.clear()
        self.long_looks = LONG_LOOKS

    @property
    def pacer(self) -> Pacer:
        """The pacer of this run; on the loop's thread."""
        if self._pacer is None:
            self._pacer = Pacer(
                self.bridge.engine.timers,
                self._rate_for,
                poisson=self.settings.poisson,
                course=self._course(),
            )
        return self._pacer

    def _course(self) -> Course | None:
        profile = self.settings.profile
        return Course(profile=profile, start_ns=self._began_ns) if profile else None

    @property
    def opener(self) -> Opener:
        """Opens this run's connections; on the loop's thread."""
        if self._opener is None:
            engine = self.bridge.engine
            self._opener = Opener(self.settings.opening, engine.recorder, engine.timers)
        return self._opener

    def _rate_for(self, ready: int) -> float:
        # While the total number of users is unknown, the rate is 0. With a profile, this is a share of its rate.
        rate = self.settings.rate or 1.0
        return rate * ready / max(self.target_users, ready) if self.target_users else 0.0

    def began(self, at_ns: int) -> None:
        """Sets when the run began, by the monotonic clock (ns): earlier than here, on a worker that joined late.

        Called on the hub, while the number of users wanted is 0, so that nothing is due.
        """
        self.bridge.engine.call(self._began, at_ns)

    def _began(self, at_ns: int) -> None:
        self._began_ns = at_ns
        if self._pacer is not None and (course := self._course()) is not None:
            self._pacer.follow(course)

    def retarget(self, users: int) -> None:
        """Sets the number of users wanted over all processes; called on the hub."""
        if users != self.target_users:
            self.bridge.engine.call(self._retarget, users)

    def _retarget(self, users: int) -> None:
        self.target_users = users
        if self._pacer is not None:
            self._pacer.update()

    def interleave(self) -> None:
        """Shifts due times halfway between those of the first side; called on the hub, after the ramp."""
        first = self._beside
        if first is not None and self.settings.rate and not self.settings.poisson:
            self.bridge.engine.call(lambda: self.pacer.interleave(first.pacer))

    @property
    def engine(self) -> Engine:
        return self.bridge.engine

    def quit(self, reason: str, error: BaseException) -> None:
        """Ends the whole run, after ``StopTest`` or ``SystemExit`` in a user class; called on the loop."""
        self.bridge.to_hub(end_run, self.environment, reason, error)

    def next_number(self) -> int:
        """Numbers the users of this process from 1."""
        return next(self._numbers)

    def report_user_error(self, user: Any, error: BaseException, text: str) -> None:
        """Reports a bug in a user class to Locust, and logs the first of each kind; called on the loop."""
        first = (type(user), text) not in self._reported and len(self._reported) < MAX_REPORTED
        if first:
            self._reported.add((type(user), text))
        self.bridge.to_listeners(self._tell_user_error, user, error, text if first else "")

    def _tell_user_error(self, user: Any, error: BaseException, text: str) -> None:
        if text:  # first: a listener may end the run
            logger.error("%s\n(further errors like this are counted, but not shown)", text.rstrip())
        fire = self.environment.events.user_error.fire
        self._listeners.call(fire, user_instance=user, exception=error, tb=error.__traceback__)
