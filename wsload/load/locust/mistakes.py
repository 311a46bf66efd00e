"""A mistake in a locustfile that is found while it is loaded: one line, as for an option, and no traceback."""

from __future__ import annotations

import functools
import sys
import traceback
from pathlib import Path
from types import TracebackType

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.load.locust.blocked import is_user_code


@functools.cache
def show_in_one_line() -> None:
    """Takes effect only if this process is the ``locust`` command, not in programs that use Locust as a library."""
    program = Path(sys.argv[0])
    if "locust" not in (program.name, program.parent.name):
        return
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not isinstance(error, UsageError):
            before(kind, error, trace)
            return
        frames = [frame for frame, _ in traceback.walk_tb(trace)]
        lines = dict(traceback.walk_tb(trace))
        own = [frame for frame in frames if is_user_code(frame)]
        where = f"{own[-1].f_code.co_filename}:{lines[own[-1]]}: " if own else ""
        sys.stderr.write(f"locust: error: {where}{error}\n")
        sys.exit(ExitCode.USAGE)

    sys.excepthook = show
