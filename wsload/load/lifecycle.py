"""Locust's events and what wsload does at each: the order of things from start to exit code.

The endings differ (see Locust's ``main.py`` and ``runners.py``): a run time that is over fires
``test_stop`` before ``quitting``; Ctrl-C on a local run fires ``quitting`` while the users still
run; a master stops without telling its workers. They are made alike here: ``test_stop`` ends the
run, wherever it is fired, and ``quitting`` first sees to it that ``test_stop`` was.
"""

from __future__ import annotations

import gc
import logging
import secrets
import sys
from argparse import Namespace
from typing import Any, Final, NoReturn

import gevent
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.load.cluster.collector import Collector
from wsload.load.cluster.wire import from_wire, to_wire
from wsload.load.locust.compat import is_ending, send_last_statistics, wanted_users, worker_is_gone
from wsload.load.locust.statistics import LocustFeed
from wsload.load.options.settings import Settings
from wsload.load.run.run import Run
from wsload.load.users.process import ProcessContext
from wsload.load.users.websocket import WebSocketUser
from wsload.load.watch.observers import JsonProgress
from wsload.measure.interval import Interval
from wsload.results.run import CheckState

logger = logging.getLogger("wsload")

LAST_WORD_S: Final = 10.0
"""Beyond draining and closing, a master waits so long for its workers' last intervals."""


class Lifecycle:
    """One per environment: holds what lives from one event to the next."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.runner = environment.runner
        self.run: Run | None = None
        self.collector: Collector | None = None
        self._ended = True
        self._collecting = False
        if isinstance(self.runner, MasterRunner):
            self.runner.register_message("wsload_interval", self._on_interval_message)
            self.runner.register_message("wsload_started", self._on_started_message)
            self.runner.register_message("wsload_done", self._on_done_message)
        elif isinstance(self.runner, WorkerRunner):
            self.runner.register_message("wsload_target", self._on_target_message)
            self.runner.register_message("wsload_finish", self._on_finish_message, concurrent=True)
            # Listeners of `quitting` run last come, first served: this one before the runner's own,
            # so that the master has the last interval before it hears that the worker quits.
            environment.events.quitting.add_listener(lambda **_: self.runner.stop())

    # Locust's events, the same in every process

    def test_start(self) -> None:
        environment = self.environment
        try:
            settings = settings_of(environment, host_known=True)
            if isinstance(self.runner, WorkerRunner):
                self._start_recording(self._send_interval)
                self._tell_master("wsload_started")
            else:
                self.run = Run(environment, settings)
                if settings.json_progress:
                    self.run.listeners.append(JsonProgress(self.run))
                logger.info("Results go to %s", self.run.writer.path)
        except UsageError as error:
            # No host, or a directory that can't be written: the rest was checked before.
            if environment.parsed_options.headless and isinstance(self.runner, LocalRunner):
                refuse(error)  # before the first user
            logger.error("The run was not started: %s", error)
            if not isinstance(self.runner, MasterRunner):
                ProcessContext.of(environment).refused = True
            if environment.parsed_options.headless:
                environment.process_exit_code = ExitCode.USAGE
                gevent.spawn(self.runner.quit)
            else:
                gevent.spawn(self.runner.stop)
            return
        if not isinstance(self.runner, MasterRunner):
            ProcessContext.of(environment).refused = False
        self._ended = False
        if isinstance(self.runner, MasterRunner):
            assert self.run is not None
            environment.parsed_options.ws_run_id = secrets.token_hex(8)
            self.collector = Collector(self.run.append)
            self._collecting = True
            self.run.processes = self.collector.workers.values
        elif self.run is not None:
            self._start_recording(self.run.append_own)
        if not isinstance(self.runner, WorkerRunner):
            gevent.spawn(self._follow_target)

    def test_stopping(self) -> None:
        # A master that hears one worker quit may still send its users to another that is stopping:
        # who comes now would not be recorded, so nobody comes.
        if not isinstance(self.runner, MasterRunner):
            ProcessContext.of(self.environment).refused = True

    def test_stop(self) -> None:
        if self._ended:
            return
        self._ended = True
        if isinstance(self.runner, WorkerRunner):
            self._stop_recording()
            # Locust's own last report: after Ctrl-C its master does not wait for one.
            try:
                send_last_statistics(self.runner)
            finally:
                self._tell_master("wsload_done")
            return
        assert self.run is not None
        if self.collector is not None:
            self._gather()
        else:
            self._stop_recording()
        gc.unfreeze()
        self.run.finish()

    def quitting(self) -> None:
        if not self._ended and isinstance(self.runner, LocalRunner):
            self.runner.stop()
        run = self.run
        if run is None or self.environment.process_exit_code is not None:
            return
        states = {check.state for check in run.checks}
        if not run.valid and not run.allow_invalid:
            self.environment.process_exit_code = ExitCode.UNTRUSTED
        elif CheckState.FAILED in states:
            self.environment.process_exit_code = ExitCode.FAILED
        elif CheckState.UNJUDGED in states:
            self.environment.process_exit_code = ExitCode.UNTRUSTED

    def quit(self) -> None:
        if self.run is not None:
            self.run.show()

    # Recording in this process

    def _start_recording(self, on_interval: Any) -> None:
        swarm = ProcessContext.of(self.environment)
        swarm.configure()
        bridge = swarm.bridge
        if isinstance(self.runner, LocalRunner):
            swarm.target_users = wanted_users(self.runner)
        bridge.engine.recorder.listener = LocustFeed(bridge, self.environment)
        # Not waited for: until test_start is over Locust would forget a stop that comes meanwhile.
        bridge.engine.call(
            bridge.engine.begin, lambda snapshot: bridge.to_hub(lambda: on_interval(snapshot.interval()))
        )

    def _stop_recording(self) -> None:
        bridge = ProcessContext.of(self.environment).bridge
        bridge.ask(bridge.engine.end)
        bridge.settle()

    def _follow_target(self) -> None:
        """Tells the pacers among how many users the rate is spread, as long as the run goes on."""
        while not self._ended:
            users = wanted_users(self.runner)
            if isinstance(self.runner, MasterRunner):
                self.runner.send_message("wsload_target", {"users": users})
            else:
                ProcessContext.of(self.environment).retarget(users)
            gevent.sleep(0.5)

    # A worker's messages, and the master's

    def _tell_master(self, message: str, **data: Any) -> None:
        run_id = getattr(self.environment.parsed_options, "ws_run_id", "")
        self.runner.send_message(message, {"run": run_id, **data})

    def _send_interval(self, interval: Interval) -> None:
        self._tell_master("wsload_interval", interval=to_wire(interval))

    def _on_target_message(self, environment: Any, msg: Any) -> None:
        ProcessContext.of(environment).retarget(int(msg.data["users"]))

    def _on_finish_message(self, environment: Any, msg: Any) -> None:
        # A worker that is already stopping will get to test_stop by itself.
        if not is_ending(self.runner):
            self.runner.stop()

    def _mine(self, msg: Any) -> bool:
        return bool(
            self.collector is not None
            and self._collecting
            and msg.data.get("run") == self.environment.parsed_options.ws_run_id
        )

    def _on_started_message(self, environment: Any, msg: Any) -> None:
        if self._mine(msg):
            assert self.collector is not None
            self.collector.started(msg.node_id)

    def _on_interval_message(self, environment: Any, msg: Any) -> None:
        if not self._mine(msg):
            logger.warning("An interval of worker %s came after its run had ended: not counted", msg.node_id)
            return
        assert self.collector is not None
        self.collector.add(msg.node_id, from_wire(msg.data["interval"]))

    def _on_done_message(self, environment: Any, msg: Any) -> None:
        if self._mine(msg):
            assert self.collector is not None
            self.collector.done(msg.node_id)

    def _gather(self) -> None:
        """Asks the workers to end, whatever ending this is, and waits for their last intervals."""
        assert self.collector is not None and self.run is not None
        settings = Settings.of(self.environment.parsed_options)
        self.runner.send_message("wsload_finish", {})
        patience_s = settings.drain_s + (self.environment.stop_timeout or 0) + LAST_WORD_S
        self.collector.wait(worker_is_gone(self.runner), patience_s)
        self._collecting = False
        self.run.warnings += self.collector.finish()


def settings_of(
    environment: Any, *, host_known: bool, options: Namespace | None = None, form_host: str = ""
) -> Settings:
    """The options, checked; with a host known, also what each user class would open. Raises `UsageError`."""
    settings = Settings.of(options or environment.parsed_options)
    for user_class in environment.user_classes:
        host = form_host or environment.host or user_class.host
        if issubclass(user_class, WebSocketUser) and (host or host_known):
            settings.target(user_class.url, host)
    return settings


def refuse(error: UsageError) -> NoReturn:
    """Ends the process as Locust does for an option it can't use."""
    sys.stderr.write(f"locust: error: {error}\n")
    sys.exit(ExitCode.USAGE)
