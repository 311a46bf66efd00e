"""What wsload does at each of Locust's events, from the start of a run to the exit code.

A run may end in several ways (see Locust's ``main.py`` and ``runners.py``): at the end of the run time
``test_stop`` is fired before ``quitting``; Ctrl-C on a local run fires ``quitting`` while users still run; a
master stops without telling its workers. This module makes them alike: ``test_stop`` ends the run, wherever it is
fired, and ``quitting`` first makes sure that ``test_stop`` was fired. Several may come at once (two signals, or a task
that quits at the end of the run time). The run still ends only once, in its own greenlet, and everybody who asks for
the end waits for it. Before ``quitting`` is fired, an end in progress comes to its end: a listener of Locust's ends a
master's connection to its workers, whose last figures would be missing.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final, NoReturn

import gevent
from locust.exception import StopTest
from locust.runners import LocalRunner

from wsload.errors import NotWritten, UsageError, WsloadError
from wsload.exit_codes import ExitCode
from wsload.load.locust.compat import allow_stop
from wsload.load.locust.ending import end_run
from wsload.load.locust.statistics_compat import forget_unread
from wsload.load.pair import Pair
from wsload.load.roles import role_of
from wsload.load.run.run import Run
from wsload.load.targets import settings_of
from wsload.load.users.context.process import ProcessContext
from wsload.load.watch.observers import JsonProgress

logger = logging.getLogger("wsload")


FAILURES: Final = {
    ExitCode.BROKEN: "The results could not be stored",
    ExitCode.UNTRUSTED: "The figures can't be trusted",
    ExitCode.FAILED: "A check failed",
    ExitCode.NOTHING_MEASURED: "Nothing was measured",
}
"""Exit codes of a run, in words."""


PATIENCE_S: Final = 12.0
"""How long one side waits for the other at the end, in addition to stop timeout and draining."""
LOCUSTS_PATIENCE_S: Final = 60.0
"""How long Locust waits for a master's users, in addition to the stop timeout."""
STEP_S: Final = 0.1


class Phase(Enum):
    """The state of a process, in a cycle."""

    BETWEEN_RUNS = auto()
    STARTING = auto()
    """The locustfile's listeners of ``test_start`` are at work."""
    RUNNING = auto()
    STOPPING = auto()
    """Users have been told to stop."""
    ENDING = auto()


class Lifecycle:
    """The state between events; one per environment."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.runner = environment.runner
        self.run: Run | None = None
        """The current run, or the last one, in the process that has the results."""
        self._role = role_of(environment)
        self._phase = Phase.BETWEEN_RUNS
        self._drain_s = 0.0
        """``--ws-drain``, kept because the options are not read again at the end, when files may be gone."""
        self._hurried = False
        """Whether to end the run without further waiting."""
        self._end: gevent.Greenlet | None = None
        self.on_end: Callable[[], object] = lambda: None
        """Called when a run has ended."""
        self._pair: Pair | None = None
        """Where two sides are loaded at the same time."""

    def pair_with(self, other: Lifecycle) -> None:
        """Makes the two begin and end together; this one is the first."""
        self._pair = other._pair = Pair(self, other)

    def before_test_start(self) -> None:
        """Called before all listeners of ``test_start``, which may set hosts and take their time."""
        if self._is_second:
            return  # it began with the first one
        self.settle()  # started again while users still stop
        if isinstance(self.runner, LocalRunner):
            allow_stop(self.runner)
        self._phase = Phase.STARTING

    def test_start(self) -> None:
        """Begins a run, and that of the other side before either has users, unless it has begun.

        Called after all listeners of ``test_start``, or when the run is told to end before they have returned.
        """
        if not self.is_starting:
            return
        if self._pair is None:
            self.begin()
        elif self._pair.first is self:
            self._pair.begin()

    @property
    def is_starting(self) -> bool:
        """Whether a run is about to begin."""
        return self._phase is Phase.STARTING

    @property
    def is_running(self) -> bool:
        """Whether a run has begun and not ended."""
        return self._phase in (Phase.RUNNING, Phase.STOPPING)

    @property
    def is_ending(self) -> bool:
        """Whether the run's users have been told to stop, and the run has not ended yet."""
        return self._phase in (Phase.STOPPING, Phase.ENDING)

    def begin(self) -> None:
        """Begins a run. Raises `SystemExit` if that is refused before the first user."""
        self._phase, environment = Phase.BETWEEN_RUNS, self.environment
        gc.collect()  # now, before users have to wait for it
        try:
            settings = settings_of(environment, host_known=True)
            run = self._role.begin(settings)
        except (NotWritten, UsageError) as error:
            self._refuse(error)
            return
        self._drain_s = settings.drain_s
        if run is not None:
            self.run = run
            run.on_abort = lambda why: end_run(environment, f"--ws-abort-on: {why}", StopTest())
            if run.json_progress and not self._is_second:
                run.listeners.append(JsonProgress(run))
            logger.info("Results go to %s", run.writer.path)
        if self.runner is None:
            ProcessContext.of(environment).on_single_user_end = self._end_single_user
        self._role.admit(True)
        self._phase, self._hurried = Phase.RUNNING, False
        gevent.spawn(self._follow_target)

    def settle(self) -> None:
        """Waits for the end of a run that is ending, however it was told to, or until that is to be hurried."""
        stop_timeout_s = self.environment.stop_timeout or 0
        with gevent.Timeout(stop_timeout_s + self._drain_s + LOCUSTS_PATIENCE_S + PATIENCE_S, False):
            while self.is_ending and not self._hurried:
                gevent.sleep(STEP_S)
        self._wait_for_end()

    def test_stopping(self) -> None:
        self.test_start()
        # When one worker quits, a master may still move its users to another that is stopping. They would not be
        # recorded, so they are not admitted.
        if self._phase is Phase.RUNNING:
            self._phase = Phase.STOPPING
        self._role.admit(False)

    def test_stop(self) -> None:
        if self.is_running:
            self._phase = Phase.ENDING
            self._end = gevent.spawn(self._end_run)
        self._wait_for_end()

    def quitting(self) -> None:
        self.test_start()
        if self.is_running and isinstance(self.runner, LocalRunner):
            self.runner.stop()
        elif self.is_running:
            self.test_stopping()  # a master would go on to order users
        self.test_stop()
        if self._pair is not None and self._pair.first is self:
            self._pair.quitting()

    def set_exit_code(self) -> None:
        """Called after all listeners of ``quitting``: the exit code of a failed run overrides theirs."""
        code = self.exit_code()
        if self._pair is not None:
            others, locusts = self._pair.codes()
            code = others if code is None else code
            if self.environment.process_exit_code is None:
                self.environment.process_exit_code = locusts
        if code is None:
            return
        theirs = self.environment.process_exit_code
        if theirs is not None and theirs != code:
            logger.warning("%s: exit code %d overrides the %s that was set", FAILURES[code], code, theirs)
        self.environment.process_exit_code = code

    def locusts_code(self) -> int | None:
        """The exit code that Locust would give for this side, as it does for the first one."""
        environment = self.environment
        if environment.process_exit_code is None and (self.runner.errors or self.runner.exceptions):
            return int(getattr(environment.parsed_options, "exit_code_on_error", 1))
        return None if environment.process_exit_code is None else int(environment.process_exit_code)

    def exit_code(self) -> ExitCode | None:
        """wsload's exit code for the run; None if the run was successful, or there was none."""
        return None if self.run is None else self.run.exit_code()

    @property
    def _is_second(self) -> bool:
        return self._pair is not None and self._pair.second is self

    def reset(self) -> None:
        """Locust has reset its statistics, so wsload resets its figures."""
        if self.run is not None and self.is_running:
            self.run.reset(self.run.clock.now())

    def ramped_up(self) -> None:
        """Locust has started all users; the last of them arrives within a second."""
        if self.run is not None and self.is_running:
            self.run.ramped_up(self.run.clock.now())
            if self._pair is not None:
                gevent.spawn_later(1, ProcessContext.of(self.environment).interleave)

    def hurry(self) -> None:
        """The process was told to end a second time."""
        if self._phase is not Phase.BETWEEN_RUNS:
            if not self._is_second:
                logger.warning(
                    "Interrupted again: not waiting for outstanding answers. A third interrupt ends the process at once"
                )
            self._hurried = True
            self._role.hurry()

    def quit(self, exit_code: int) -> None:
        if self.run is None:
            return
        self.run.show()
        if exit_code and self.run.exit_code() is None and self.environment.process_exit_code is None:
            failed = self.locusts_code() is not None
            logger.warning(
                "Exit code %d, because Locust exits with it after %s%s",
                exit_code,
                "any failed request" if failed else "an unhandled exception, which is in the log",
                "; with --exit-code-on-error 0, only the checks decide" if failed and self.run.checks else "",
            )

    def _end_run(self) -> None:
        try:
            if self._pair is not None:
                stop_timeout_s = self.environment.stop_timeout or 0
                self._pair.wait_for_the_other(self, stop_timeout_s + self._drain_s + PATIENCE_S)
            found = self._role.end()
            gc.unfreeze()
            if self.run is not None:
                self.run.warnings += found
                self.run.finish()
        finally:
            self._phase = Phase.BETWEEN_RUNS
            self.on_end()

    def _end_single_user(self) -> None:
        # run_single_user fires nothing at its end.
        self.test_stop()
        self.quit(0)

    def _wait_for_end(self) -> None:
        if self._end is not None:
            self._end.join()

    def _refuse(self, error: WsloadError) -> None:
        """Refuses a run without a host or results directory; everything else was checked before."""
        environment = self.environment
        headless = getattr(environment.parsed_options, "headless", False)  # a library's may be partial
        if self.runner is None or (headless and isinstance(self.runner, LocalRunner)):
            refuse(error)  # before the first user
        logger.error("The run was not started: %s", error)
        self._role.admit(False)
        if headless:
            environment.process_exit_code = error.exit_code
        if headless:
            gevent.spawn(self.runner.quit)
        else:
            gevent.spawn(self.runner.stop)
        self._role.refused(error)

    def _follow_target(self) -> None:
        while self.is_running:
            self._role.retarget()
            forget_unread(self.environment.stats, self.environment.parsed_options)
            gevent.sleep(0.5)


def refuse(error: WsloadError) -> NoReturn:
    """Ends the process like Locust does for an invalid option, with the error's exit code."""
    sys.stderr.write(f"locust: error: {error}\n")
    sys.exit(error.exit_code)
