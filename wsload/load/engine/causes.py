"""Why the loop was late: what the process did meanwhile, by the system's own accounts.

While a beat is overdue the process either computes (its CPU time goes on), waits for a core that another process has
(the run queue's delay in ``/proc/…/schedstat`` grows), or neither: then something blocks it, or it was stopped.
"""

from __future__ import annotations

import os
import time
from typing import Final

from wsload.measure.recorder import Recorder

_SCHEDSTAT: Final = "/proc/thread-self/schedstat"


class Causes:
    """Divides late spells among what may have caused them, into the recorder's counters. On the loop's thread."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        try:
            self._fd = os.open(_SCHEDSTAT, os.O_RDONLY)
        except OSError:  # not Linux, or a kernel without it: waiting can't be told from being stopped
            self._fd = -1
        self.mark()

    def close(self) -> None:
        """Nothing further is asked."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def mark(self) -> None:
        """The loop is in time: what comes from here on belongs to the next late spell, if it becomes one."""
        self._cpu_ns = time.process_time_ns()
        self._waits = os.pread(self._fd, 64, 0) if self._fd >= 0 else b""

    def divide(self, late_ns: int) -> None:
        """A late spell of this length has ended."""
        cpu_ns, waits = self._cpu_ns, self._waits
        self.mark()
        working_ns = min(self._cpu_ns - cpu_ns, late_ns)
        waiting_ns = min(_waited_ns(self._waits) - _waited_ns(waits), late_ns - working_ns)
        count = self._recorder.count
        count.late_ns += late_ns
        count.late_working_ns += working_ns
        count.late_waiting_ns += waiting_ns


def _waited_ns(schedstat: bytes) -> int:
    """How long the thread had waited for a core by then: the second of the file's three numbers."""
    return int(schedstat.split()[1]) if schedstat else 0
