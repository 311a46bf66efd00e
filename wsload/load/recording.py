"""Recording in one process that has users: from the users' loop to its intervals, on Locust's hub."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from locust.runners import LocalRunner

from wsload.load.locust.bridge import LISTENERS_TIMEOUT_S
from wsload.load.locust.compat import wanted_users
from wsload.load.locust.ending import end_run
from wsload.load.locust.forwarding import accept_calls_from_any_thread
from wsload.load.locust.other_requests import OtherRequests
from wsload.load.locust.statistics import StatisticsFeed
from wsload.load.users.process import ProcessContext
from wsload.measure.interval import Interval

logger = logging.getLogger("wsload")


class Recording:
    """One per environment; starts and stops with each run."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._others: OtherRequests | None = None

    def start(self, on_interval: Callable[[Interval], object], url: str) -> None:
        """Begins a run's recording; ``on_interval`` gets each second's interval, on the hub.

        ``url`` is what listeners of Locust's ``request`` event get as such.
        """
        environment, process = self._environment, ProcessContext.of(self._environment)
        process.configure()
        bridge, engine = process.bridge, process.bridge.engine
        if isinstance(environment.runner, LocalRunner):
            process.target_users = wanted_users(environment.runner)
        if self._others is None:
            self._others = OtherRequests(engine)
            environment.events.request.add_listener(self._others.on_request)
            accept_calls_from_any_thread(environment, bridge, self._others)
            bridge.on_exit = partial(end_run, environment, "sys.exit was called in a user class")
        engine.recorder.listener = StatisticsFeed(bridge, environment, url, self._others.names)
        # Not waited for: until test_start is over Locust would forget a stop that comes meanwhile.
        engine.call(engine.begin, lambda snapshot: bridge.to_hub(lambda: on_interval(snapshot.interval())))

    def stop(self) -> None:
        """Returns when everything that was recorded has been handed on, as far as listeners return."""
        bridge = ProcessContext.of(self._environment).bridge
        bridge.ask(bridge.engine.end)
        if not bridge.settle():
            logger.warning(
                "A listener of Locust's events has not returned for %d s: Locust's statistics lack what came "
                "after that; wsload's own results do not",
                LISTENERS_TIMEOUT_S,
            )
