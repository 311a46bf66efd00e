"""Ends a process that can't end as usual.

A blocked thread, or a coroutine that refuses to be cancelled, can't be ended: the process exits without them. And where
some call never releases the GIL, no Python code can run, neither the watchdog nor a signal handler. A regular
expression that backtracks for hours does that. What remains is a thread that does not need the interpreter
(`faulthandler`), and the parent process.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import time
from typing import Final

import psutil

LEAVING_S: Final = 10.0
"""Workers that have not ended this long after their master are killed."""
STEP_S: Final = 0.1


def leave_at_once() -> None:
    """Makes a process of Locust's exit without finalizing the interpreter, which would wait for them or crash.

    Functions registered with `atexit` still run. Programs that use Locust as a library exit normally, since only
    the interpreter knows their exit code.
    """
    global _at_once
    _at_once = True


def remember_exit_code(code: int) -> None:
    """Sets the exit code for `leave_at_once`; Locust passes it to its last event."""
    global _code
    _code = code


_at_once = False
_code: int | None = None


@atexit.register  # at import, so it is one of the last to run
def _leave() -> None:
    if _at_once and _code is not None:
        with contextlib.suppress(OSError, ValueError):  # the reader is gone
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_code)


def schedule_exit(seconds: float) -> None:
    """Ends the process in this many seconds, with all stacks on standard error, unless `cancel_exit` is called."""
    faulthandler.dump_traceback_later(seconds, exit=True)


def cancel_exit() -> None:
    """Undoes `schedule_exit`: the process ends by itself."""
    faulthandler.cancel_dump_traceback_later()


def kill_children_at_exit() -> None:
    """At exit, kills any of the current children that don't end; Locust would wait for them forever."""
    children = psutil.Process().children()
    if children:
        atexit.register(_kill, children)


def _kill(children: list[psutil.Process]) -> None:
    deadline = time.monotonic() + LEAVING_S
    while any(_lives(child) for child in children) and time.monotonic() < deadline:
        time.sleep(STEP_S)
    for child in filter(_lives, children):
        os.kill(child.pid, signal.SIGKILL)


def _lives(child: psutil.Process) -> bool:
    # Without waiting for the child, which is up to Locust.
    try:
        return bool(child.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
