"""The way out of a process in which something can't be ended: a thread that is blocked, a coroutine that won't."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys


def leave_at_once() -> None:
    """Has the process end without taking the interpreter down, which would wait for them, or crash in them.

    What was registered with `atexit` by then is still done.
    """
    global _at_once
    _at_once = True


def remember_exit_code(code: int) -> None:
    """What the process will end with."""
    global _code
    _code = code


_at_once, _code = False, 1


@atexit.register  # at import, so as one of the last
def _leave() -> None:
    if _at_once:
        with contextlib.suppress(OSError, ValueError):  # nobody reads any more
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_code)
