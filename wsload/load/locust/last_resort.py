"""Ends a process in which no Python code can run, because some call never releases the GIL.

A regular expression that backtracks for hours does that. Then neither the watchdog nor a signal handler runs.
What remains is a thread that does not need the interpreter (`faulthandler`), and the parent process.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import time
from typing import Final

import psutil

LEAVING_S: Final = 10.0
"""Workers that have not ended this long after their master are killed."""
STEP_S: Final = 0.1


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
