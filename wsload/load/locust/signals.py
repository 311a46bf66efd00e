"""Signals that end a run: the first in order, the second without waiting for users, the third at once.

Python raises ``KeyboardInterrupt`` in whichever greenlet happens to run. If that is the one that listens to the
workers, the master never hears of them again and gives them up as lost; this happened in some of twenty runs that
were interrupted while an interval arrived. So gevent's loop handles Ctrl-C, as it does SIGTERM for Locust, and
raises it in the main greenlet. SIGHUP, which Locust ignores, is handled like SIGTERM: closing the terminal ends the
run with its results. Locust handles SIGTERM only once a headless shape is over, or the workers of a headless master
have come; ``run_single_user`` and programs that use Locust as a library never do.

Signals are counted for each run, and the process may outlive it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

import gevent

from wsload.load.locust.compat import locust_ends_at_sigterm, raise_in_main_greenlet

TOGETHER_S: Final = 0.5
"""Signals closer together than this count as one: process managers may send several."""


class Urgency(IntEnum):
    """How often the process was told to end since the last run's end."""

    FIRST = 1
    AGAIN = 2
    THIRD = 3


class EndSignals:
    """Handles SIGINT, SIGTERM and SIGHUP unless somebody else does.

    ``on_unhandled`` is called at the first signal if Locust does not end the run at SIGTERM, ``on_again`` at the
    second. ``is_unjudged`` tells whether there is a run that has yet to be judged.
    """

    def __init__(
        self,
        on_unhandled: Callable[[], object],
        on_again: Callable[[], object],
        is_unjudged: Callable[[], bool],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_unhandled = on_unhandled
        self._on_again = on_again
        self._is_unjudged = is_unjudged
        self._now_s = now_s
        self._heard_s = float("-inf")
        self._times = 0
        self._leaving = False
        self._watchers: list[gevent.signal_handler] = []

    def take(self) -> None:
        """Handles signals until `release`, except those that are ignored (``nohup``) or have another handler."""
        for number, usual in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGTERM, signal.SIG_DFL),
            (signal.SIGHUP, signal.SIG_DFL),
        ):
            if signal.getsignal(number) is usual:
                self._watchers.append(gevent.signal_handler(number, self._on_signal, number))

    def release(self) -> None:
        """Restores Python's own handlers, which after the run also work without gevent's loop."""
        while self._watchers:
            self._watchers.pop().cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def leave(self) -> None:
        """The process has begun to end: there is nothing left for a first signal to do."""
        self._leaving = True

    def run_ended(self) -> None:
        """Counts anew, unless the process ends too."""
        if not self._leaving:
            self._times = 0

    def heard(self) -> Urgency | None:
        """Counts a signal; returns None for one that came together with the last."""
        now_s = self._now_s()
        if now_s - self._heard_s < TOGETHER_S:
            return None
        self._heard_s = now_s
        self._times += 1
        return Urgency(min(self._times, Urgency.THIRD))

    def _on_signal(self, number: signal.Signals) -> None:
        urgency = self.heard()
        if urgency is Urgency.FIRST and not self._leaving:
            if not locust_ends_at_sigterm():
                self._on_unhandled()
            elif number == signal.SIGINT:
                raise_in_main_greenlet(KeyboardInterrupt())
            elif number == signal.SIGHUP:
                os.kill(os.getpid(), signal.SIGTERM)  # Locust's own handler ends the run
        elif urgency is Urgency.AGAIN:
            self._on_again()
        elif urgency is Urgency.THIRD:
            unjudged = ": the run was not judged, and its results have no summary"
            sys.stderr.write(f"Ended at once{unjudged if self._is_unjudged() else ''}.\n")
            os._exit(128 + number)
