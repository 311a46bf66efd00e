"""Locust's events and what wsload does at each: the order of things from start to exit code.

The endings differ (see Locust's ``main.py`` and ``runners.py``): a run time that is over fires
``test_stop`` before ``quitting``; Ctrl-C on a local run fires ``quitting`` while the users still
run; a master stops without telling its workers. They are made alike here: ``test_stop`` ends the
run, wherever it is fired, and ``quitting`` first sees to it that ``test_stop`` was. Several of them may
come at once (two signals, a task that quits while the run time ends): the run ends once, in a greenlet of
its own, and whoever asks for it waits until it has.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from argparse import Namespace
from enum import Enum, auto
from typing import Any, Final, NoReturn

import gevent
from locust.runners import LocalRunner

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.load.options.settings import Settings
from wsload.load.roles import role_of
from wsload.load.run.run import Run
from wsload.load.users.process import ProcessContext
from wsload.load.users.websocket import WebSocketUser
from wsload.load.watch.observers import JsonProgress

logger = logging.getLogger("wsload")


FAILURES: Final = {
    ExitCode.BROKEN: "The results could not be stored",
    ExitCode.UNTRUSTED: "The figures can't be trusted",
    ExitCode.FAILED: "A check failed",
    ExitCode.NOTHING_MEASURED: "Nothing was measured",
}
"""Exit codes of a run, in words."""


class Phase(Enum):
    """Where a process is; it goes round."""

    BETWEEN_RUNS = auto()
    RUNNING = auto()
    ENDING = auto()


class Lifecycle:
    """One per environment: holds what lives from one event to the next."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.runner = environment.runner
        self.run: Run | None = None
        """The run that goes on, or the last one, in the process that has its results."""
        self._role = role_of(environment)
        self._phase = Phase.BETWEEN_RUNS
        self._end: gevent.Greenlet | None = None

    def test_start(self) -> None:
        self._wait_for_end()
        environment = self.environment
        gc.collect()  # before there are users to wait for it; what is left is frozen after the ramp
        try:
            run = self._role.begin(settings_of(environment, host_known=True))
        except UsageError as error:
            self._refuse(error)
            return
        if run is not None:
            self.run = run
            if run.json_progress:
                run.listeners.append(JsonProgress(run))
            logger.info("Results go to %s", run.writer.path)
        if self.runner is None:
            ProcessContext.of(environment).on_single_user_end = self._end_single_user
        self._role.admit(True)
        self._phase = Phase.RUNNING
        gevent.spawn(self._follow_target)

    def test_stopping(self) -> None:
        # A master that hears one worker quit may still send its users to another that is stopping:
        # who comes now would not be recorded, so nobody comes.
        self._role.admit(False)

    def test_stop(self) -> None:
        if self._phase is Phase.RUNNING:
            self._phase = Phase.ENDING
            self._end = gevent.spawn(self._end_run)
        self._wait_for_end()

    def quitting(self) -> None:
        if self._phase is Phase.RUNNING and isinstance(self.runner, LocalRunner):
            self.runner.stop()
        self._wait_for_end()

    def conclude(self) -> None:
        """After all listeners of ``quitting``: the exit code of a run that failed goes before theirs."""
        if self.run is None or (code := self.run.exit_code()) is None:
            return
        theirs = self.environment.process_exit_code
        if theirs is not None and theirs != code:
            logger.warning("%s: exit code %d, not the %s that was set", FAILURES[code], code, theirs)
        self.environment.process_exit_code = code

    def reset(self) -> None:
        """Locust's statistics begin anew here, and so do wsload's figures."""
        if self.run is not None and self._phase is Phase.RUNNING:
            self.run.reset(time.time())

    def ramped_up(self) -> None:
        """All users were started; the last of them arrives within a second."""
        if self.run is not None and self._phase is Phase.RUNNING:
            self.run.ramped_up(time.time())

    def hurry(self) -> None:
        """The process was told to end again: nobody is waited for."""
        if self._phase is not Phase.BETWEEN_RUNS:
            logger.warning("Told to end again: what is still owed is not waited for; once more ends at once")
            self._role.hurry()

    def quit(self) -> None:
        if self.run is not None:
            self.run.show()

    def _end_run(self) -> None:
        try:
            found = self._role.end()
            gc.unfreeze()
            if self.run is not None:
                self.run.warnings += found
                self.run.finish()
        finally:
            self._phase = Phase.BETWEEN_RUNS

    def _end_single_user(self) -> None:
        # run_single_user fires nothing at its end.
        self.test_stop()
        self.quit()

    def _wait_for_end(self) -> None:
        if self._end is not None:
            self._end.join()

    def _refuse(self, error: UsageError) -> None:
        """No host, or a directory that can't be written: all else was checked before."""
        environment = self.environment
        options = environment.parsed_options
        headless = options is not None and options.headless
        if self.runner is None or (headless and isinstance(self.runner, LocalRunner)):
            refuse(error)  # before the first user
        logger.error("The run was not started: %s", error)
        self._role.admit(False)
        if headless:
            environment.process_exit_code = ExitCode.USAGE
        gevent.spawn(self.runner.quit if headless else self.runner.stop)

    def _follow_target(self) -> None:
        while self._phase is Phase.RUNNING:
            self._role.retarget()
            gevent.sleep(0.5)


def settings_of(
    environment: Any, *, host_known: bool, options: Namespace | None = None, form_host: str = ""
) -> Settings:
    """The options, checked; with a host known, also what each user class would open. Raises `UsageError`."""
    settings = Settings.of(options or environment.parsed_options or Namespace())
    targets_of(environment, settings, host_known=host_known, form_host=form_host)
    return settings


def targets_of(
    environment: Any, settings: Settings, *, host_known: bool = True, form_host: str = ""
) -> list[str]:
    """What the user classes would open, as far as hosts are known. Raises `UsageError`."""
    hosts = {each: form_host or environment.host or each.host for each in environment.user_classes}
    return [
        settings.target(user_class.url, host)
        for user_class, host in hosts.items()
        if issubclass(user_class, WebSocketUser) and (host or host_known)
    ]


def refuse(error: UsageError) -> NoReturn:
    """Ends the process as Locust does for an option it can't use."""
    sys.stderr.write(f"locust: error: {error}\n")
    sys.exit(ExitCode.USAGE)
