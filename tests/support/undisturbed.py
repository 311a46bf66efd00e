"""Real-time priority for what a test starts, where the system allows it.

For tests of what is measured on time: how a busy machine divides itself between these runs and its
other work is not what they ask about.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Processes started from this thread within the block inherit a real-time priority."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, PermissionError):  # macOS; an ordinary user
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
