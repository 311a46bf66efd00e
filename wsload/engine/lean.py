"""What the library's connections keep for uses that they are not put to here: some 3 KiB each, left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

from websockets.asyncio.connection import Connection

_NO_QUEUE: Final = SimpleNamespace(close=lambda: None)


def shed_extras(connection: Connection) -> None:
    """To be called at the end of ``__init__``: no adapter around the logger, no deque where a list does."""
    adapter: Any = connection.protocol.logger
    connection.logger = connection.protocol.logger = adapter.logger
    connection.drain_waiters = []  # type: ignore[assignment]  # appended to and removed from, as a deque is


def shed_queue(connection: Connection) -> None:
    """To be called at the end of ``connection_made``: nothing is put into the library's receive queue."""
    queue: Any = _NO_QUEUE
    connection.recv_messages = queue
