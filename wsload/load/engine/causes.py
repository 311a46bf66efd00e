"""Why the loop was late: what the process did meanwhile, according to the kernel.

While a beat is overdue the process computes (its CPU time grows), or waits for a core that another process occupies
(the run-queue delay in ``/proc/…/schedstat`` grows), or neither: then something blocks it, or it was stopped.
"""

from __future__ import annotations

import os
import time
from typing import Final

_SCHEDSTAT: Final = "/proc/thread-self/schedstat"


class Causes:
    """Attributes late spells to their causes. On the loop's thread."""

    def __init__(self) -> None:
        try:
            self._fd = os.open(_SCHEDSTAT, os.O_RDONLY)
        except OSError:  # not Linux, or not in this kernel: waiting can't be distinguished from being stopped
            self._fd = -1
        self._began = self._came = self._now()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def mark(self) -> None:
        """The loop is on time: if a late spell comes next, it is measured from here."""
        self._began = self._now()

    def come(self) -> None:
        """An overdue beat has come: the late spell is measured to here, and one that follows at once from here."""
        self._came = self._now()

    def divide(self, late_ns: int) -> tuple[int, int]:
        """How much of a late spell of this length, which ended when `come` was called, was work and waiting, in ns."""
        began, self._began = self._began, self._came
        working_ns = min(self._came[0] - began[0], late_ns)
        waiting_ns = min(_waited_ns(self._came[1]) - _waited_ns(began[1]), late_ns - working_ns)
        return working_ns, waiting_ns

    def _now(self) -> tuple[int, bytes]:
        """The process's CPU time in ns, and the thread's ``schedstat``."""
        return time.process_time_ns(), os.pread(self._fd, 64, 0) if self._fd >= 0 else b""


def _waited_ns(schedstat: bytes) -> int:
    """The thread's total wait for a core: the second of the file's three numbers."""
    return int(schedstat.split()[1]) if schedstat else 0
