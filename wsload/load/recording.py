"""Recording in a process that has users: turns the engine's snapshots into intervals, on Locust's hub."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from locust.runners import WorkerRunner

from wsload.judge.run.standing import CUT_SHORT
from wsload.load.locust.bridge import LISTENERS_TIMEOUT_S
from wsload.load.locust.compat import wanted_users
from wsload.load.locust.ending import end_run
from wsload.load.locust.forwarding import accept_calls_from_any_thread
from wsload.load.locust.other_requests import OtherRequests
from wsload.load.locust.sampler import Sampler
from wsload.load.locust.statistics import StatisticsFeed, only_aggregates_are_wanted
from wsload.load.locust.stragglers import Stragglers
from wsload.load.locust.watchdog import Watchdog
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.forgotten import Forgotten
from wsload.load.users.websocket import WebSocketUser
from wsload.measure.interval import Interval
from wsload.measure.names import FORGOTTEN
from wsload.measure.snapshot import Snapshot
from wsload.results.run import RunWarning
from wsload.words import counted, listed

logger = logging.getLogger("wsload")

GRACE_S: Final = 8.0
"""How long users have to close their connections, in addition to ``--stop-timeout`` and draining."""
SAID: Final = (FORGOTTEN, "feed ")
"""Prefixes of failures already logged in more detail; so are a user class's exceptions, whose kind is a class name."""
MAX_BLOCKS: Final = 3
"""At most this many blocking places are named."""


class Recording:
    """Starts and stops with each run. One per environment, created after any fork."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._process = ProcessContext.of(environment)
        bridge = self._process.bridge
        self._others = OtherRequests(bridge.engine)
        environment.events.request.add_listener(self._others.on_request)
        accept_calls_from_any_thread(environment, bridge, self._others)
        bridge.on_exit = partial(end_run, environment, "sys.exit was called in a user class")
        self._forgotten = Forgotten(self._process)
        self._watchdog = Watchdog(bridge)
        self._sampler = Sampler(bridge)
        self._stragglers = Stragglers(environment, self._watchdog)

    def start(self, on_interval: Callable[[Interval], object], url: str) -> None:
        """Begins a run's recording; ``on_interval`` gets each second's interval, on the hub.

        ``url`` is the ``url`` argument of Locust's ``request`` events. Raises `UsageError`.
        """
        self._process.configure()
        bridge, engine = self._process.bridge, self._process.engine
        if not isinstance(self._environment.runner, WorkerRunner):
            self._process.target_users = wanted_users(self._environment.runner, WebSocketUser)
        self._stragglers.reset()
        if self._environment.runner is not None:  # run_single_user is for debuggers, which block the loop
            self._watchdog.start()
            self._sampler.start()
        # Here, since from now on Locust creates this run's users, and those of a chat declare names at once.
        engine.recorder.forget_names()
        self._others.begin()
        engine.recorder.detailed = not only_aggregates_are_wanted(self._environment)
        engine.recorder.listener = StatisticsFeed(bridge, self._environment, url, self._others.names)
        # Without waiting: until test_start is over, Locust would forget a stop that comes meanwhile.
        engine.call(engine.begin, lambda snapshot: bridge.to_hub(self._hand_on, snapshot, on_interval))

    def _hand_on(self, snapshot: Snapshot, on_interval: Callable[[Interval], object]) -> None:
        self._process.bridge.engine.recorder.detailed = not only_aggregates_are_wanted(self._environment)
        interval = snapshot.interval()
        for (what, kind), detail in interval.details.items():
            if kind[:1].isupper() or what.startswith(SAID):
                continue
            logger.warning(
                "%s failed: %s (%s); further such failures are counted, not logged", what, kind, detail
            )
        on_interval(interval)

    def admit(self, admitted: bool) -> None:
        """Sets whether users that Locust starts from now on take part; if not, the present ones are told to stop."""
        self._process.refused = not admitted
        if not admitted and self._environment.runner is not None:
            stop_timeout_s = self._environment.stop_timeout or 0
            self._stragglers.begin(stop_timeout_s + self._process.settings.drain_s + GRACE_S)

    def hurry(self) -> None:
        """Drops users that have not stopped, without further waiting."""
        self._stragglers.hurry()

    def stop(self) -> list[RunWarning]:
        """Ends the recording once all intervals were processed; returns warnings about it."""
        block = self._watchdog.block
        if not self._process.bridge.end_recording(blocked=block is not None):
            logger.warning(
                "A listener of Locust's events has not returned for %g s, so Locust's statistics lack everything "
                "after that; wsload's results are complete",
                LISTENERS_TIMEOUT_S,
            )
        self._watchdog.stop()
        self._sampler.stop()
        return [*self._cut_short(), *self._blocks()]

    def _cut_short(self) -> Iterator[RunWarning]:
        if not self._stragglers.dropped:
            return
        block, places = self._watchdog.block, list(self._stragglers.places.values())
        cause = f"; they were waiting in {listed(places)}" if places else ""
        if block is not None:
            cause = f": {block.place.text} blocked them for {block.seconds:.1f} s"
        users = counted(self._stragglers.dropped, "user")
        yield RunWarning(
            name=CUT_SHORT,
            text=f"{users} did not stop in time and were dropped{cause}",
            remedy="find out what their tasks and hooks were waiting for",
            invalidates=True,
        )

    def _blocks(self) -> Iterator[RunWarning]:
        """The places that blocked the loop for longest, with how often and how long."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for block in self._watchdog.blocks:
            found[block.place.text].append(block.seconds)
        for place, times in sorted(found.items(), key=lambda item: -sum(item[1]))[:MAX_BLOCKS]:
            often = (
                f"{len(times)} times, {sum(times):.1f} s in all"
                if len(times) > 1
                else f"for {times[0]:.1f} s"
            )
            yield RunWarning(
                name="blocked",
                text=f"{place} blocked all users of its process {often}",
                remedy="use await where possible, or move blocking calls to asyncio.to_thread",
            )
