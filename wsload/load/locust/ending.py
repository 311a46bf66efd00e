"""How a user class ends the run by raising: ``StopTest`` and ``sys.exit``, on the hub, in order."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

logger = logging.getLogger("wsload")

_endings: Final[weakref.WeakKeyDictionary[Any, gevent.Greenlet]] = weakref.WeakKeyDictionary()


def end_run(environment: Any, reason: str, error: BaseException) -> None:
    """A user class raised ``StopTest``, which stops the run, or called ``sys.exit``, which ends the process too.

    ``reason`` says where, for the log. Without a web UI either ends the process. The exit code is that of
    ``sys.exit``, unless the run has one of its own.
    """
    if (ending := _endings.get(environment)) is not None and not ending.dead:
        return  # all users at once, probably
    if isinstance(error, StopTest):
        logger.error("Stopping the run: %s%s", reason, f": {error}" if str(error) else "")
        leaves = environment.web_ui is None
    else:
        code = error.code if isinstance(error, SystemExit) else 1
        logger.warning("Ending the run: %s%s", reason, "" if code is None else f" ({code})")
        if code and environment.process_exit_code is None:
            environment.process_exit_code = code if isinstance(code, int) else 1
        leaves = True
    if environment.runner is not None:  # run_single_user has none, and ends with its user
        _endings[environment] = gevent.spawn(_end, environment, leaves)


def _end(environment: Any, leaves: bool) -> None:
    if leaves:
        environment.runner.quit()
        if environment.web_ui is not None:
            environment.web_ui.stop()
    else:
        environment.runner.stop()


class Listeners:
    """Calls listeners of Locust's events on behalf of code that has gone on meanwhile."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._warned = False

    def call(self, fire: Callable[..., object], **arguments: Any) -> None:
        """Fires the event; what a listener may raise to end the run ends it."""
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
                    "A listener raised %s, which is ignored: by then the task has gone on. "
                    "Raise it in the task, or raise StopTest to end the run",
                    type(error).__name__,
                )
