"""The logger that the library gets on the loop's thread: one that does nothing.

Logging's own takes locks, which Locust has patched to wait on gevent's hub. What goes wrong in a handshake
is told by exceptions.
"""

from __future__ import annotations

from typing import Any


class QuietLogger:
    """Takes what a `logging.Logger` takes, and keeps nothing."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802, ARG002  # logging's
        return False

    def debug(self, message: str, *args: Any, **settings: Any) -> None:
        pass

    info = warning = error = debug
