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


def shed_cycles(connection: Connection) -> None:
    """To be called at the end of ``connection_lost``: else the protocol is garbage for the collector to find.

    It is kept by the frames of its parser, and of the exception in which the parser ended.
    """
    protocol = connection.protocol
    protocol.parser.close()
    if protocol.parser_exc is not None:
        protocol.parser_exc.__traceback__ = None
