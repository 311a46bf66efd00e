"""What a master does at the start and the end of a run."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from typing import Any, Final

from locust.exception import StopTest

from wsload.errors import WsloadError
from wsload.load.cluster.collector import Collector
from wsload.load.cluster.wire import from_wire
from wsload.load.locust.compat import sender_of, wanted_users, worker_is_gone, workers_at_hand
from wsload.load.locust.ending import STOP_TEST, end_run
from wsload.load.locust.exit import kill_children_at_exit
from wsload.load.locust.ramps import RampEnded, Ramps
from wsload.load.options.settings import Settings
from wsload.load.run.run import Run
from wsload.load.run.steady import SteadyClock
from wsload.load.users.websocket import WebSocketUser
from wsload.results.machine import own_version
from wsload.results.run import RunWarning

logger = logging.getLogger("wsload")

LAST_INTERVAL_S: Final = 10.0
"""How long a master waits for its workers' last intervals, in addition to stop timeout and draining."""


class Master:
    """Has the results, which it makes of the workers' intervals."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._ramps = Ramps(environment)
        self._collector: Collector | None = None
        """For the run in progress."""
        self._clock = SteadyClock()
        """That of the run."""
        self._began_s = 0.0
        """When the run began, by the monotonic clock."""
        self._drain_s = 0.0
        self._strangers: list[RunWarning] = []
        """Workers of another version that take part all the same, as those do which are too old to ask."""
        self._rows: Counter[str] = Counter()
        """How many rows of each feed were handed out to the workers."""
        if environment.parsed_options.processes:
            kill_children_at_exit()
        self._runner.register_message("wsload_started", self._on_started)
        self._runner.register_message("wsload_interval", self._on_interval)
        self._runner.register_message("wsload_done", self._on_done)
        self._runner.register_message("wsload_rows", self._on_rows)
        self._runner.register_message(STOP_TEST, self._on_stop_test)

    def begin(self, settings: Settings) -> Run:
        run = Run(self._environment, settings)
        options = self._environment.parsed_options
        options.ws_run_id, options.ws_run_version = secrets.token_hex(8), own_version()
        options.ws_user_classes = [each.__name__ for each in self._environment.user_classes]
        self._strangers.clear()
        self._drain_s = settings.drain_s
        self._rows.clear()
        self._collector, self._clock = Collector(run.append), run.clock
        run.processes = self._collector.workers.values
        for worker in workers_at_hand(self._runner):
            self._collector.expect(worker, now_s=self._clock.now())
        self._began_s = time.monotonic()
        return run

    def end(self) -> list[RunWarning]:
        """Asks the workers to end, whatever ended the run, and waits for their last intervals."""
        assert self._collector is not None
        self._runner.send_message("wsload_finish", {})
        self._collector.ending(now_s=self._clock.now())
        patience_s = self._drain_s + (self._environment.stop_timeout or 0) + LAST_INTERVAL_S
        self._collector.wait(worker_is_gone(self._runner), patience_s)
        found, self._collector = self._collector.finish(), None
        return [*found, *self._strangers]

    def refused(self, error: WsloadError) -> None:
        raise RampEnded

    def admit(self, admitted: bool) -> None:
        """If not, no more users are ordered from the workers."""
        if not admitted:
            self._ramps.end()

    def hurry(self) -> None:
        if self._collector is not None:
            self._collector.hurry()

    def retarget(self) -> None:
        self._tell_target(None)

    def _tell_target(self, worker: str | None) -> None:
        target = {
            "run": self._environment.parsed_options.ws_run_id,
            "users": wanted_users(self._runner, WebSocketUser),
            "elapsed_s": time.monotonic() - self._began_s,
        }
        self._runner.send_message("wsload_target", target, client_id=worker)

    def _collector_for(self, msg: Any) -> Collector | None:
        mine = msg.data.get("run") == getattr(self._environment.parsed_options, "ws_run_id", None)
        return self._collector if mine else None

    def _on_started(self, environment: Any, msg: Any) -> None:
        if collector := self._collector_for(msg):
            collector.started(sender_of(msg), msg.data["at_s"], now_s=self._clock.now())
            if (version := msg.data.get("version", "an earlier version")) != own_version():
                self._meet_stranger(sender_of(msg), version)
            self._tell_target(sender_of(msg))  # a worker that joins late has not heard it yet

    def _meet_stranger(self, worker: str, version: str) -> None:
        text = f"worker {worker} has wsload {version}, its master {own_version()}: they may not mean the same figures"
        remedy = "install the same version on all hosts"
        self._strangers.append(RunWarning(name="worker-version", text=text, remedy=remedy, invalidates=True))
        logger.error("%s; %s", text, remedy)

    def _on_interval(self, environment: Any, msg: Any) -> None:
        if collector := self._collector_for(msg):
            interval = from_wire(msg.data["interval"])
            collector.add(sender_of(msg), msg.data["number"], interval, now_s=self._clock.now())
        else:
            logger.warning(
                "Ignored an interval from worker %s that arrived after the end of its run", sender_of(msg)
            )

    def _on_rows(self, environment: Any, msg: Any) -> None:
        if self._collector_for(msg):
            feed, count = msg.data["feed"], msg.data["count"]
            self._runner.send_message(
                "wsload_rows", {**msg.data, "first": self._rows[feed]}, client_id=sender_of(msg)
            )
            self._rows[feed] += count

    def _on_stop_test(self, environment: Any, msg: Any) -> None:
        if self._collector_for(msg):
            end_run(environment, f"{msg.data['reason']} (worker {sender_of(msg)})", StopTest())

    def _on_done(self, environment: Any, msg: Any) -> None:
        if collector := self._collector_for(msg):
            found = [RunWarning(**warning) for warning in msg.data["warnings"]]
            for refusal in found:
                if refusal.name == "worker-refused":
                    logger.error("Worker %s: %s", sender_of(msg), refusal.text)
            collector.done(sender_of(msg), msg.data["intervals"], found)
