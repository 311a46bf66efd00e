"""Where uvloop behaves otherwise than documented: the only place that allows for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any


def counted_already(context: Mapping[str, Any]) -> bool:
    """Whether what the loop complains of was counted: a handshake that failed just after its time was up.

    uvloop's TLS sets that failure on a future for which by then nobody waits any more.
    """
    future = context.get("future")
    forgotten = future is not None and not isinstance(future, asyncio.Task)
    return forgotten and isinstance(context.get("exception"), OSError)
