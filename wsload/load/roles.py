"""What each kind of process (local, master, worker) does at the start and the end of a run."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import time
from collections import Counter
from dataclasses import asdict
from typing import Any, Final, Protocol

import gevent
from locust.exception import StopTest
from locust.runners import MasterRunner, WorkerRunner

from wsload.errors import UsageError
from wsload.load import bugs
from wsload.load.cluster.collector import Collector
from wsload.load.cluster.wire import from_wire, to_wire
from wsload.load.locust.compat import (
    is_ending,
    send_last_statistics,
    sender_of,
    wanted_users,
    worker_is_gone,
)
from wsload.load.locust.ending import STOP_TEST, end_run
from wsload.load.locust.exit import cancel_exit, kill_children_at_exit, schedule_exit
from wsload.load.options.settings import Settings
from wsload.load.recording import Recording
from wsload.load.run.run import Run, target
from wsload.load.run.steady import SteadyClock
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.websocket import WebSocketUser
from wsload.measure.interval import Interval
from wsload.redact import redact_url
from wsload.results.run import RunWarning

logger = logging.getLogger("wsload")

GIVEN_UP_S: Final = 14.0
"""A process that has not started to end this long after the run time, plus stop timeout and draining, is given up."""
LAST_INTERVAL_S: Final = 10.0
"""How long a master waits for its workers' last intervals, in addition to stop timeout and draining."""


class Role(Protocol):
    """What a process does for a run."""

    def begin(self, settings: Settings) -> Run | None:
        """Starts a run; returns it in the process that has the results. Raises `UsageError`."""

    def end(self) -> list[RunWarning]:
        """Ends a run once everything recorded has reached the results or the master; returns warnings."""

    def refused(self, error: UsageError) -> None:
        """Called instead of a run: its options or files can't be used in this process."""

    def admit(self, admitted: bool) -> None:
        """Sets whether users that Locust starts from now on take part; if not, the present ones are told to stop."""

    def hurry(self) -> None:
        """Ends the run without further waiting."""

    def retarget(self) -> None:
        """Called twice a second during a run: tells the pacers over how many users to spread the rate."""


def role_of(environment: Any) -> Role:
    """The role of this process."""
    if isinstance(environment.runner, MasterRunner):
        return Master(environment)
    return Worker(environment) if isinstance(environment.runner, WorkerRunner) else Local(environment)


def certain_run_time_s(environment: Any) -> float | None:
    """After how many seconds Locust ends the run in any case; None if it might not.

    A shape ignores ``--run-time``. With a web UI the option may be that of an earlier run, or the form may change it.
    """
    options = environment.parsed_options
    if (
        environment.runner is None
        or environment.shape_class is not None
        or not getattr(options, "headless", False)
    ):
        return None
    return getattr(options, "run_time", None)


class Local:
    """The only process, which has both the users and the results."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment

    @functools.cached_property
    def _recording(self) -> Recording:
        return Recording(self._environment)

    def begin(self, settings: Settings) -> Run:
        run = Run(self._environment, settings)
        if run_time_s := certain_run_time_s(self._environment):
            schedule_exit(run_time_s + (self._environment.stop_timeout or 0) + settings.drain_s + GIVEN_UP_S)
        self._recording.start(run.append_own, run.writer.info.target)
        return run

    def end(self) -> list[RunWarning]:
        return self._recording.stop()

    def refused(self, error: UsageError) -> None:
        """There is no run to warn of."""

    def admit(self, admitted: bool) -> None:
        if not admitted:
            cancel_exit()
        self._recording.admit(admitted)

    def hurry(self) -> None:
        self._recording.hurry()

    def retarget(self) -> None:
        ProcessContext.of(self._environment).retarget(wanted_users(self._environment.runner, WebSocketUser))


class Worker:
    """Has users, and sends what they record to the master."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._sent = 0
        """Intervals of this run so far."""
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
        context = ProcessContext.of(self._environment)
        context.rows.ask = lambda feed, count: context.bridge.to_hub(self._ask_for_rows, feed, count)
        with bugs.refused():
            self._recording.start(self._send_interval, redact_url(target(self._environment, settings)))
        self._sent = 0
        self._tell("wsload_started", at_s=time.time())

    def end(self) -> list[RunWarning]:
        found = bugs.warned(self._recording.stop)
        try:
            send_last_statistics(self._runner)
        finally:
            self._tell("wsload_done", intervals=self._sent, warnings=[asdict(warning) for warning in found])
        return []

    def refused(self, error: UsageError) -> None:
        refusal = RunWarning(
            name="worker-refused",
            text=f"it refused the run, so its part of the load is missing: {error}",
            remedy="mend that on its host, and run again",
            invalidates=True,
        )
        self._tell("wsload_done", intervals=0, warnings=[asdict(refusal)])

    def admit(self, admitted: bool) -> None:
        self._recording.admit(admitted)

    def hurry(self) -> None:
        self._recording.hurry()

    def retarget(self) -> None:
        """Left to the master."""

    def _end_with(self, master: int) -> None:
        """Ends this worker, forked for ``--processes``, when its master is gone; otherwise the load would go on."""
        while os.getppid() == master:
            gevent.sleep(0.5)
        logger.error("The master (pid %d) is gone: stopping this worker", master)
        self._runner.quit()

    def _tell(self, message: str, **data: Any) -> None:
        run_id = getattr(self._environment.parsed_options, "ws_run_id", "")
        self._runner.send_message(message, {"run": run_id, **data})

    def _send_interval(self, interval: Interval) -> None:
        self._sent += 1
        self._tell("wsload_interval", number=self._sent, interval=to_wire(interval))

    def _ask_for_rows(self, feed: str, count: int) -> None:
        self._tell("wsload_rows", feed=feed, count=count)

    def _on_rows(self, environment: Any, msg: Any) -> None:
        if msg.data["run"] == getattr(environment.parsed_options, "ws_run_id", ""):
            context = ProcessContext.of(environment)
            context.engine.call(context.rows.given, msg.data["feed"], msg.data["first"], msg.data["count"])

    def _on_target(self, environment: Any, msg: Any) -> None:
        ProcessContext.of(environment).retarget(int(msg.data["users"]))

    def _on_finish(self, environment: Any, msg: Any) -> None:
        # A worker that is already stopping ends by itself.
        if not is_ending(self._runner):
            self._runner.stop()


class Master:
    """Has the results, which it makes of the workers' intervals."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner = environment.runner
        self._collector: Collector | None = None
        """For the run in progress."""
        self._clock = SteadyClock()
        """That of the run."""
        self._drain_s = 0.0
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
        options.ws_run_id = secrets.token_hex(8)
        options.ws_user_classes = [each.__name__ for each in self._environment.user_classes]
        self._drain_s = settings.drain_s
        self._rows.clear()
        self._collector, self._clock = Collector(run.append), run.clock
        run.processes = self._collector.workers.values
        return run

    def end(self) -> list[RunWarning]:
        """Asks the workers to end, whatever ended the run, and waits for their last intervals."""
        assert self._collector is not None
        self._runner.send_message("wsload_finish", {})
        patience_s = self._drain_s + (self._environment.stop_timeout or 0) + LAST_INTERVAL_S
        self._collector.wait(worker_is_gone(self._runner), patience_s)
        found, self._collector = self._collector.finish(), None
        return found

    def refused(self, error: UsageError) -> None:
        """There is no run to warn of."""

    def admit(self, admitted: bool) -> None:
        """A master has no users."""

    def hurry(self) -> None:
        if self._collector is not None:
            self._collector.hurry()

    def retarget(self) -> None:
        self._runner.send_message("wsload_target", {"users": wanted_users(self._runner, WebSocketUser)})

    def _collector_for(self, msg: Any) -> Collector | None:
        mine = msg.data.get("run") == getattr(self._environment.parsed_options, "ws_run_id", None)
        return self._collector if mine else None

    def _on_started(self, environment: Any, msg: Any) -> None:
        if collector := self._collector_for(msg):
            collector.started(sender_of(msg), msg.data["at_s"], now_s=self._clock.now())

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
            collector.done(sender_of(msg), msg.data["intervals"], found)
