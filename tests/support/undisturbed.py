"""The machine to oneself, as far as the system allows it, for what a test starts.

For tests of what is measured on time: how a busy machine divides itself between these runs and its
other work is not what they ask about. Two that have precedence would only disturb each other, so
they take turns, also where several test runs go on at once. Tests that use it belong to the group
"timing", which one process runs: in several, all but one would only wait for their turn.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PRIORITY = 10
"""Above what is started by ``chrt -r 1``: equals take turns of 100 ms."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Processes started from this thread within the block inherit a real-time priority, if it is granted."""
    with (Path(tempfile.gettempdir()) / f"wsload-tests-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
        except (AttributeError, PermissionError):  # macOS; an ordinary user
            yield
            return
        try:
            yield
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
