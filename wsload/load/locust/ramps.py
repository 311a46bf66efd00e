"""Ends a master's ramp together with its run.

``MasterRunner.start`` returns when all users have been ordered. ``MasterRunner.stop`` doesn't end it: it would go on
to order users from workers that have stopped, whose run would begin again. It may be at work in any greenlet: the web
UI's, that of ``--autostart`` or ``--headless``, a shape's, or the one that receives the workers' messages.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import gevent
from locust.exception import StopTest
from locust.runners import MasterRunner

from wsload.load.locust.compat import replace_start
from wsload.load.locust.ending import end_run
from wsload.load.locust.ramps_compat import heed_stop

logger = logging.getLogger("wsload")

SENDING_S: Final = 0.01
"""By then the orders that a ramp has given are sent, and the workers get them before the stop."""


class RampEnded(BaseException):
    """Raised where a ramp waits, or by a listener of ``test_start`` before it has ordered any user."""


class Ramps:
    """The calls of a master's ``start`` that are at work; made before the first."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._runner: Final[MasterRunner] = environment.runner
        self._at_work: Final[list[Any]] = []
        """Their greenlets."""
        self._start = self._runner.start
        replace_start(self._runner, self._checked_start)

    def end(self) -> None:
        """Ends those that are at work, except the caller's own, and waits until their last orders are sent."""
        here = gevent.getcurrent()
        others = [each for each in self._at_work if each is not here]
        for each in others:
            gevent.get_hub().loop.run_callback(self._end, each)
        if others:
            gevent.sleep(SENDING_S)

    def _checked_start(self, *args: Any, **settings: Any) -> None:
        here = gevent.getcurrent()
        self._at_work.append(here)
        try:
            self._start(*args, **settings)
        except RampEnded:
            heed_stop(self._runner)
        except (Exception, SystemExit) as error:
            if not heed_stop(self._runner):  # it failed after its first user
                raise
            if isinstance(error, StopTest):
                end_run(self._environment, "a listener of test_start raised StopTest", error)
            elif isinstance(error, SystemExit):
                end_run(self._environment, "a listener of test_start called sys.exit", error)
            else:
                name = type(error).__name__
                end_run(self._environment, f"a listener of test_start raised {name}", StopTest())
                raise
        finally:
            self._at_work.remove(here)

    def _end(self, ramp: Any) -> None:
        # On the hub, where it can't have been left meanwhile.
        if ramp in self._at_work:
            ramp.throw(RampEnded)
