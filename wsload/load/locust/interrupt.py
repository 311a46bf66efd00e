"""Ctrl-C, told to Locust's main greenlet and to no other.

Python raises ``KeyboardInterrupt`` in whatever greenlet happens to run. Where that is the one that
listens to the workers, the master hears nothing more of them, waits, and gives them up as lost: seen in
some of twenty runs that were interrupted while an interval came in. So the signal is taken by
gevent's loop, as Locust itself does it for SIGTERM.
"""

from __future__ import annotations

import signal

import gevent

from wsload.load.locust.compat import raise_in_main_greenlet


def interrupt_main_greenlet_only() -> None:
    """From now on; until `interrupt_as_usual`, or for good. Does nothing where somebody handles SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        _watchers.append(gevent.signal_handler(signal.SIGINT, _interrupt))


def interrupt_as_usual() -> None:
    """Python's own way again, which works without gevent's loop too: for what comes after the run."""
    while _watchers:
        _watchers.pop().cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)


_watchers: list[gevent.signal_handler] = []


def _interrupt() -> None:
    raise_in_main_greenlet(KeyboardInterrupt())
