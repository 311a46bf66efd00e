"""Ends what ``wsload ab`` started, should that be killed outright: run as a script, with nothing but Python.

On its standard input come process groups, ``+123`` when one was started and ``-123`` when it has
been ended. When the input ends, what is still listed is ended, with SIGTERM and then SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE_S = 3.0


def main() -> None:
    """Follows the list until its end, then ends what is left on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C is for the one who tells us, and may go on
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
