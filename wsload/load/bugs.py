"""What a bug of wsload on a worker means for the run, in one line below its traceback, and for its master."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Iterator

from wsload.errors import UsageError
from wsload.results.run import RunWarning

logger = logging.getLogger("wsload")


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Turns an exception at the start into a `UsageError`, which refuses the run; the traceback is in the log."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        logger.exception("A bug of wsload, as the run began")
        raise UsageError(f"a bug of wsload, {_named(error)}; the traceback is in its log") from error


def warned(stop: Callable[[], list[RunWarning]]) -> list[RunWarning]:
    """Ends the recording by ``stop``; returns its warnings, or one that says by which exception it failed."""
    try:
        return stop()
    except Exception as error:
        said = f"its recording did not end in order, so the run's figures are incomplete: {_named(error)}"
        logger.error("%s\nA bug of wsload: %s", traceback.format_exc().rstrip(), said)
        remedy = "see the traceback in its log, which is a bug of wsload"
        return [RunWarning(name="worker-failed", text=said, remedy=remedy, invalidates=True)]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
