"""Runs that are told to end while their users wait for answers, with `locustfiles/owing.py`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from websockets.asyncio.server import ServerConnection

from support.locust_run import LOCUSTFILES, LocustRun
from support.serving import Serving, echo

OWING: Final = LOCUSTFILES / "owing.py"
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
LATER_S: Final = 0.7
"""Signals that are closer together count as one."""


async def slow(connection: ServerConnection) -> None:
    """Answers each message three seconds later."""
    async for message in connection:
        await asyncio.sleep(3)
        await connection.send(message)


def started(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    *more: str | Path,
    handler: object = echo,
    **settings: object,
) -> LocustRun:
    """A headless run of four users against the handler."""
    host = f"ws://127.0.0.1:{serving.websocket(handler)}"  # type: ignore[arg-type]
    options = ("-f", OWING, "--headless", "--host", host, "-u", "4", "-r", "4", "--only-summary", *more)
    return start_locust(*options, **settings)
