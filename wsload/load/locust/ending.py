"""Ends the run, in order and on the hub, when a user class raises ``StopTest`` or calls ``sys.exit``."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser
from locust.runners import WorkerRunner

from wsload.load.locust.compat import is_ending

logger = logging.getLogger("wsload")

STOP_TEST: Final = "wsload_stop_test"
"""A worker's message to its master: StopTest was raised."""
STEP_S: Final = 0.1

_endings: Final[weakref.WeakKeyDictionary[Any, gevent.Greenlet]] = weakref.WeakKeyDictionary()


def end_run(environment: Any, reason: str, error: BaseException) -> None:
    """Stops the run after ``StopTest``; ends the process too after ``sys.exit``, or if there is no web UI.

    On a worker, ``StopTest`` stops the run of all workers, and ``sys.exit`` ends only that worker. ``reason`` is for
    the log. The exit code is that of ``sys.exit``, unless the run has already set one.
    """
    if (ending := _endings.get(environment)) is not None and not ending.dead:
        return  # probably all users raise it
    if isinstance(error, StopTest):
        reason += f": {error}" if str(error) else ""
        logger.error("Stopping the run: %s", reason)
        if isinstance(environment.runner, WorkerRunner):
            _endings[environment] = gevent.spawn(_ask_master, environment, reason)
            return
        leaves = environment.web_ui is None
    else:
        code = error.code if isinstance(error, SystemExit) else 1
        logger.warning("Ending the run: %s%s", reason, "" if code is None else f" ({code})")
        if code and environment.process_exit_code is None:
            environment.process_exit_code = code if isinstance(code, int) else 1
        leaves = True
    if environment.runner is not None:  # run_single_user has no runner, and ends with its user
        _endings[environment] = gevent.spawn(_end, environment, leaves)


def _end(environment: Any, leaves: bool) -> None:
    if leaves:
        environment.runner.quit()
        if environment.web_ui is not None:
            environment.web_ui.stop()
    else:
        environment.runner.stop()


def _ask_master(environment: Any, reason: str) -> None:
    run_id = getattr(environment.parsed_options, "ws_run_id", "")
    environment.runner.send_message(STOP_TEST, {"run": run_id, "reason": reason})
    while not is_ending(environment.runner):  # other users raise it too
        gevent.sleep(STEP_S)


class Listeners:
    """Fires Locust's events on behalf of code that no longer waits for the listeners."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._warned = False

    def call(self, fire: Callable[..., object], **arguments: Any) -> None:
        """Fires the event; exceptions with which a listener may end the run do so."""
        try:
            fire(**arguments)
        except StopTest as error:
            end_run(self._environment, "a listener raised StopTest", error)
        except (SystemExit, KeyboardInterrupt) as error:
            end_run(self._environment, "a listener called sys.exit", error)
        except (StopUser, InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately) as error:
            if not self._warned:
                self._warned = True
                logger.warning(
                    "A listener raised %s, which is ignored because the task has moved on. "
                    "Raise it in the task, or raise StopTest to end the run",
                    type(error).__name__,
                )
