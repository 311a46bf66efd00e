"""What wsload knows of the HTTP client's insides: which modules it would otherwise import at the first call.

The canary in tests/unit/test_http.py names the release that changed one of these.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

LATER: Final = ("httpcore2", "anyio.streams.tls", "anyio._backends._asyncio")
"""What httpx2 imports when it is first used. On the users' loop that would hold up all of them for 50 ms and more."""


def http_library() -> Any:
    """httpx2, whole. To be called in a thread. Raises `ImportError` where it is not installed."""
    library = importlib.import_module("httpx2")
    for module in LATER:
        importlib.import_module(module)
    return library
