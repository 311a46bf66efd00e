"""Behaviour of uvloop and asyncio that asyncio's documentation does not promise. No other file relies on it.

Each item has a canary in tests/unit/test_compat_engine.py, which names the version when a release changes it.
"""

from __future__ import annotations

import _socket  # the C class: gevent replaces socket.socket by one that waits on its hub
import asyncio
from collections.abc import Mapping
from typing import Any


def counted_already(context: Mapping[str, Any]) -> bool:
    """Whether the exception handler's ``context`` is a failure that was counted before.

    If a TLS handshake fails just after it timed out, uvloop sets the failure on a future that nobody awaits any more.
    """
    future = context.get("future")
    forgotten = future is not None and not isinstance(future, asyncio.Task)
    return forgotten and isinstance(context.get("exception"), OSError)


def never_retrieved(task: asyncio.Task[Any]) -> bool:
    """Whether the task has ended with an exception that nobody has retrieved: asyncio tells of it when it is freed."""
    return task._log_traceback


class HandedSocket(_socket.socket):
    """A socket for ``create_connection(sock=...)`` that only libuv closes.

    When uvloop is done with a socket it detaches one of Python's own class, but closes any other. By then the file
    descriptor may have been reused.
    """

    close = _socket.socket.detach  # type: ignore[assignment]

    def abandon(self) -> None:
        """Closes a socket that was not passed to uvloop."""
        super().close()


async def connect_socket(loop: asyncio.AbstractEventLoop, sock: HandedSocket, address: Any) -> None:
    """``loop.sock_connect`` for a `HandedSocket`, which its documentation does not allow for."""
    await loop.sock_connect(sock, address)  # type: ignore[arg-type]
