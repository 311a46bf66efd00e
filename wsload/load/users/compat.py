"""What wsload knows of the insides of the HTTP client, and of CPython where a coroutine is never awaited.

What it knows of Locust's users is in ``locust_compat.py``.

The canaries in tests/unit/test_http.py and tests/integration/test_forgotten_await.py name the release that changed
one of these.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable
from types import CoroutineType, FrameType
from typing import Any, Final

LATER: Final = ("httpcore2", "anyio.streams.tls", "anyio._backends._asyncio")
"""What httpx2 imports when it is first used. On the users' loop that would hold up all of them for 50 ms and more."""


def http_library() -> Any:
    """Imports all of httpx2; call it in a thread. Raises `ImportError` if it is not installed."""
    library = importlib.import_module("httpx2")
    for module in LATER:
        importlib.import_module(module)
    return library


def notice_forgotten(tell: Callable[[CoroutineType[Any, Any, Any], str], bool]) -> None:
    """Makes CPython call ``tell`` for each coroutine that was never awaited, with the place that dropped it.

    CPython calls a function of ``warnings`` for it, on the thread that dropped it. Where ``tell`` returns False, the
    usual warning follows.
    """
    warns: Callable[[object], None] = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
    usual = getattr(warns, "usual", warns)

    def warn(coroutine: CoroutineType[Any, Any, Any]) -> None:
        if not tell(coroutine, _place(sys._getframe(1))):
            usual(coroutine)

    warn.usual = usual  # type: ignore[attr-defined]
    warnings._warn_unawaited_coroutine = warn  # type: ignore[attr-defined]


def place_of_caller() -> str:
    """The place that called the function that calls this one."""
    return _place(sys._getframe(2))


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"
