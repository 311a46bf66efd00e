"""What still ends a process when no Python code of wsload's gets a turn: a call that keeps the interpreter's lock.

A regular expression that backtracks for hours does that. Then neither the watchdog nor a signal's handler
runs; what remains is a thread that needs no interpreter, and the process's parent.
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
"""Workers that have not ended so long after their master are killed."""
STEP_S: Final = 0.1


def end_in(seconds: float) -> None:
    """Has the process end in so many seconds, with the stacks of all threads on standard error, unless `go_on`."""
    faulthandler.dump_traceback_later(seconds, exit=True)


def go_on() -> None:
    """This thread has its turn: the process ends by itself."""
    faulthandler.cancel_dump_traceback_later()


def outlive_children() -> None:
    """At its end, the process kills those of its children of now that do not end: Locust waits for them for ever."""
    children = psutil.Process().children()
    if children:
        atexit.register(_outlive, children)


def _outlive(children: list[psutil.Process]) -> None:
    deadline = time.monotonic() + LEAVING_S
    while any(_lives(child) for child in children) and time.monotonic() < deadline:
        time.sleep(STEP_S)
    for child in filter(_lives, children):
        os.kill(child.pid, signal.SIGKILL)


def _lives(child: psutil.Process) -> bool:
    """Not waited for: that is Locust's."""
    try:
        return bool(child.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
