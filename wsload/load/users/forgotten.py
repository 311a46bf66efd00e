"""A forgotten ``await``: nothing is done then, and no figure would tell."""

from __future__ import annotations

from functools import partial
from types import CoroutineType
from typing import Any, Final

from wsload.load.users.compat import notice_forgotten
from wsload.load.users.process import ProcessContext, logger
from wsload.measure.names import FORGOTTEN

OURS: Final = "wsload."
CALLED: Final = frozenset(
    ("wsload.load.users.websocket", "wsload.load.users.extra", "wsload.load.users.http", "wsload.load.users.base",
     "wsload.protocols.chat.user")
)  # fmt: skip
"""Modules with methods that a user class calls; coroutines of wsload's others are its own matter."""
CALLS: Final = 100
"""Different places that are told of in the log."""


class Forgotten:
    """Counts coroutines that were never awaited, in the process of this context."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._told: set[str] = set()
        notice_forgotten(self.note)

    def note(self, coroutine: CoroutineType[Any, Any, Any], place: str) -> bool:
        """On any thread; says whether it was counted."""
        module = coroutine.cr_frame.f_globals.get("__name__", "") if coroutine.cr_frame else ""
        if module.startswith(OURS) and module not in CALLED:
            return False
        self.count(coroutine.__qualname__, place)
        return True

    def count(self, what: str, place: str) -> None:
        """On any thread: this was called, and not awaited."""
        failed = partial(self._context.engine.recorder.failed, FORGOTTEN, what, detail=place)
        self._context.engine.call(failed)
        text = f"{what}() was never awaited, so that nothing was done: {place}"
        if text not in self._told and len(self._told) < CALLS:
            self._told.add(text)
            self._context.bridge.to_hub(logger.error, "%s", text)
