"""A logger that does nothing, for the library on the loop's thread.

`logging` takes locks, which Locust has patched to wait on gevent's hub. Exceptions report what goes wrong in a
handshake.
"""

from __future__ import annotations

from typing import Any


class QuietLogger:
    """Has the methods of a `logging.Logger` that the library calls."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802, ARG002  # logging's
        return False

    def debug(self, message: str, *args: Any, **settings: Any) -> None:
        pass

    info = warning = error = debug
