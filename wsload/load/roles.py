"""What each kind of process (local, master, worker) does at the start and the end of a run."""

from __future__ import annotations

import functools
from typing import Any, Final, Protocol

from locust.runners import MasterRunner, WorkerRunner

from wsload.errors import WsloadError
from wsload.load.locust.compat import wanted_users
from wsload.load.locust.exit import cancel_exit, schedule_exit
from wsload.load.master import Master
from wsload.load.options.settings import Settings
from wsload.load.recording import Recording
from wsload.load.run.run import Run
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.websocket import WebSocketUser
from wsload.load.worker import Worker
from wsload.results.run import RunWarning

GIVEN_UP_S: Final = 14.0
"""A process that has not started to end this long after the run time, plus stop timeout and draining, is given up."""


class Role(Protocol):
    """What a process does for a run."""

    def begin(self, settings: Settings) -> Run | None:
        """Starts a run; returns it in the process that has the results. Raises `UsageError` or `NotWritten`."""

    def end(self) -> list[RunWarning]:
        """Ends a run once everything recorded has reached the results or the master; returns warnings."""

    def refused(self, error: WsloadError) -> None:
        """Called instead of a run: its options or files can't be used in this process.

        A master starts no worker then: raises `RampEnded`.
        """

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

    def refused(self, error: WsloadError) -> None:
        """There is no run to warn of."""

    def admit(self, admitted: bool) -> None:
        if not admitted:
            cancel_exit()
        self._recording.admit(admitted)

    def hurry(self) -> None:
        self._recording.hurry()

    def retarget(self) -> None:
        ProcessContext.of(self._environment).retarget(wanted_users(self._environment.runner, WebSocketUser))
