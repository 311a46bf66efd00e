"""How a user class ends the run by raising: ``StopTest`` and ``sys.exit``, on the hub, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

logger = logging.getLogger("wsload")


def stop_test(environment: Any, reason: BaseException) -> None:
    """``StopTest`` was raised: stops the run, and ends the process too where there is no web UI."""
    logger.error("Stopping the run: %s", reason or type(reason).__name__)
    gevent.spawn(environment.runner.quit if environment.web_ui is None else environment.runner.stop)


def end_process(environment: Any, reason: BaseException) -> None:
    """``sys.exit`` was called: ends the run and the process; the run's own exit code goes before it."""
    code = reason.code if isinstance(reason, SystemExit) else str(reason) or type(reason).__name__
    logger.warning("Ending the run: sys.exit(%s) in a user class", "" if code is None else repr(code))
    if code and environment.process_exit_code is None:
        environment.process_exit_code = code if isinstance(code, int) else 1
    gevent.spawn(_end, environment)


def _end(environment: Any) -> None:
    environment.runner.quit()
    if environment.web_ui is not None:
        environment.web_ui.stop()


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
            stop_test(self._environment, error)
        except (SystemExit, KeyboardInterrupt) as error:
            end_process(self._environment, error)
        except (StopUser, InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately) as error:
            if not self._warned:
                self._warned = True
                logger.warning(
                    "A listener raised %s, which is ignored: by then the task has gone on. "
                    "Raise it in the task, or raise StopTest to end the run",
                    type(error).__name__,
                )
