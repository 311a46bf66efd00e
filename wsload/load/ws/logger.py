"""Logging without locks, for what the library logs on the loop's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any


class QuietLogger:
    """The logger for ``websockets`` on the loop's thread: takes no lock, since Locust patched those.

    Errors only; each is handed on as one line.
    """

    name = "websockets"

    def __init__(self, on_log: Callable[[str], None] | None) -> None:
        self._on_log = on_log

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        return level >= logging.ERROR and self._on_log is not None

    def log(self, level: int, message: str, *args: Any, exc_info: Any = None, **_: Any) -> None:
        if self._on_log is not None and level >= logging.ERROR:
            self._on_log((message % args if args else message) + (f": {exc_info}" if exc_info else ""))

    def _log(self, level: int, message: str, args: tuple[Any, ...], **settings: Any) -> None:
        self.log(level, message, *args, **settings)

    def getEffectiveLevel(self) -> int:  # noqa: N802
        return logging.ERROR

    def debug(self, message: str, *args: Any, **settings: Any) -> None:
        pass

    info = warning = debug

    def error(self, message: str, *args: Any, **settings: Any) -> None:
        self.log(logging.ERROR, message, *args, **settings)
