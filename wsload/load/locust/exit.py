"""Exits a process in which a blocked thread, or a coroutine that refuses to be cancelled, can't be ended."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys


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
