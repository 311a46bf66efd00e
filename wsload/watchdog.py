"""Ends the processes that a ``wsload`` command started if that is killed. It needs the standard library only.

Reads process groups from standard input: ``123`` when one was started, ``-123`` when it has ended. When the input
closes, it ends the remaining groups with SIGTERM and then SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE_S = 3.0


def main() -> None:
    """Reads groups until the input closes, then ends the remaining ones."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # these are meant for the parent, which may carry on
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line)
        if group > 0:
            groups.add(group)
        else:
            groups.discard(-group)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with contextlib.suppress(OSError):
                os.killpg(group, number)
        if groups and number == signal.SIGTERM:
            time.sleep(GRACE_S)


if __name__ == "__main__":
    main()
