"""Detects a forgotten ``await``: the call does nothing, and otherwise no figure would show it."""

from __future__ import annotations

import re
from functools import partial
from types import CoroutineType
from typing import Any, Final

from wsload.load.users.compat import notice_forgotten
from wsload.load.users.context.process import ProcessContext, logger
from wsload.measure.names import FORGOTTEN

OURS: Final = "wsload."
CALLED: Final = frozenset(
    (
        "wsload.load.users.websocket",
        "wsload.load.users.sockets.extra",
        "wsload.load.users.http",
        "wsload.load.users.base",
    )
)
"""Modules with methods that a user class calls, beside those of protocols' user classes; coroutines of wsload's other
modules are ignored."""
OF_A_PROTOCOL: Final = re.compile(r"wsload\.protocols\..+\.user")
CALLS: Final = 100
"""At most this many different places are logged."""


class Forgotten:
    """Counts coroutines that were never awaited, in the process of this context."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context
        self._told: set[str] = set()
        context.on_forgotten = self.count
        notice_forgotten(self.note)

    def note(self, coroutine: CoroutineType[Any, Any, Any], place: str) -> bool:
        """Counts a coroutine, on any thread; returns False if it is to be ignored."""
        module = coroutine.cr_frame.f_globals.get("__name__", "") if coroutine.cr_frame else ""
        if module.startswith(OURS) and module not in CALLED and not OF_A_PROTOCOL.fullmatch(module):
            return False
        self.count(coroutine.__qualname__, place)
        return True

    def count(self, what: str, place: str) -> None:
        """Counts a call that was not awaited, on any thread."""
        failed = partial(self._context.engine.recorder.failed, FORGOTTEN, what, detail=place)
        try:
            self._context.engine.call(failed)
        except RuntimeError:  # the loop is closed
            return
        text = f"{what}() was never awaited, so it did nothing: {place}"
        if text not in self._told and len(self._told) < CALLS:
            self._told.add(text)
            self._context.bridge.to_hub(logger.error, "%s", text)
