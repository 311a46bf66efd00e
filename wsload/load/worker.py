"""What a worker does at the start and the end of a run."""

from __future__ import annotations

import functools
import logging
import os
import time
from dataclasses import dataclass
from typing import Any

import gevent

from wsload.errors import UsageError, WsloadError
from wsload.load import bugs
from wsload.load.cluster.wire import to_wire, warning_to_wire
from wsload.load.locust.compat import is_ending, send_last_statistics
from wsload.load.locust.ramps_compat import drop_orders
from wsload.load.options.settings import Settings
from wsload.load.recording import Recording
from wsload.load.run.run import target
from wsload.load.users.context.process import ProcessContext
from wsload.measure.interval import Interval
from wsload.measure.schedule import SECOND_NS
from wsload.redact import redact_url
from wsload.results.machine import own_version
from wsload.results.run import RunWarning

logger = logging.getLogger("wsload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a master tells its workers of a run, before and during it."""

    run: str
    users: int
    """How many are wanted, over all processes."""
    began_ns: int
    """When the run began, by this process's monotonic clock."""


class Worker:
    """Has users, and sends what they record to the master."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._sent = 0
        """Intervals of this run so far."""
        self._told = Told(run="", users=0, began_ns=0)
        """What the master has said last."""
        self._follows = False
        """Whether this run's users know it."""
        self._admits = False
        drop_orders(self._runner, lambda: not self._admits)
        self._runner.register_message("wsload_target", self._on_target)
        self._runner.register_message("wsload_finish", self._on_finish, concurrent=True)
        self._runner.register_message("wsload_rows", self._on_rows)
        # Listeners of `quitting` are called in reverse order: this one before the runner's own, so that
        # the master has the last interval before it hears that the worker quits.
        environment.events.quitting.add_listener(lambda **_: self._runner.stop())
        if environment.parsed_options.processes:
            gevent.spawn(self._end_with, os.getppid())

    @functools.cached_property
    def _recording(self) -> Recording:
        return Recording(self._environment)

    def begin(self, settings: Settings) -> None:
        masters = getattr(self._environment.parsed_options, "ws_run_version", "an earlier version")
        if masters != own_version():
            raise UsageError(
                f"this worker has wsload {own_version()}, its master {masters}: install the same on all hosts"
            )
        context = ProcessContext.of(self._environment)
        context.rows.ask = lambda feed, count: context.bridge.to_hub(self._ask_for_rows, feed, count)
        with bugs.refused():
            self._recording.start(self._send_interval, redact_url(target(self._environment, settings)))
        self._sent = 0
        context.target_users, self._follows = 0, False
        self._follow()
        self._tell("wsload_started", at_s=time.time(), version=own_version())

    def end(self) -> list[RunWarning]:
        found = bugs.warned(self._recording.stop)
        try:
            send_last_statistics(self._runner)
        finally:
            self._tell(
                "wsload_done", intervals=self._sent, warnings=[warning_to_wire(each) for each in found]
            )
        return []

    def refused(self, error: WsloadError) -> None:
        refusal = RunWarning(
            name="worker-refused",
            text=f"it refused the run, so its part of the load is missing: {error}",
            remedy="fix that on its host, then run again",
            invalidates=True,
        )
        self._tell("wsload_done", intervals=0, warnings=[warning_to_wire(refusal)])

    def admit(self, admitted: bool) -> None:
        self._admits = admitted
        self._recording.admit(admitted)

    def hurry(self) -> None:
        self._recording.hurry()

    def retarget(self) -> None:
        """Left to the master."""

    def _end_with(self, parent: int) -> None:
        """Ends this worker, forked for ``--processes``, when its parent is gone; otherwise the load would go on.

        That is the master, or with ``--worker`` a process that has no part in the run.
        """
        while os.getppid() == parent:
            gevent.sleep(0.5)
        logger.error("The process that started this worker (pid %d) is gone: stopping the worker", parent)
        self._runner.quit()

    @property
    def _run_id(self) -> str:
        return getattr(self._environment.parsed_options, "ws_run_id", "")

    def _tell(self, message: str, **data: Any) -> None:
        self._runner.send_message(message, {"run": self._run_id, **data})

    def _send_interval(self, interval: Interval) -> None:
        self._sent += 1
        self._tell("wsload_interval", number=self._sent, interval=to_wire(interval))

    def _ask_for_rows(self, feed: str, count: int) -> None:
        self._tell("wsload_rows", feed=feed, count=count)

    def _on_rows(self, environment: Any, msg: Any) -> None:
        if msg.data["run"] == self._run_id:
            context = ProcessContext.of(environment)
            context.engine.call(context.rows.given, msg.data["feed"], msg.data["first"], msg.data["count"])

    def _on_target(self, environment: Any, msg: Any) -> None:
        began_ns = time.monotonic_ns() - round(msg.data["elapsed_s"] * SECOND_NS)
        if msg.data["run"] == self._told.run:
            began_ns = self._told.began_ns
        self._told = Told(run=msg.data["run"], users=msg.data["users"], began_ns=began_ns)
        self._follow()

    def _follow(self) -> None:
        """Tells the pacer, unless the master has spoken of another run: this one's first message may come late."""
        if self._told.run != self._run_id:
            return
        context = ProcessContext.of(self._environment)
        if not self._follows:
            self._follows = True
            context.began(self._told.began_ns)
        context.retarget(self._told.users)

    def _on_finish(self, environment: Any, msg: Any) -> None:
        # A worker that is already stopping ends by itself.
        if not is_ending(self._runner):
            self._runner.stop()
