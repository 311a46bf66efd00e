"""Where uvloop behaves otherwise than asyncio's documentation says: the only place that allows for it.

The canaries in tests/unit/test_compat_engine.py name the release that changed one of these.
"""

from __future__ import annotations

import _socket  # the C class: gevent, where it patches, replaces socket.socket by one that waits on its hub
import asyncio
from collections.abc import Mapping
from typing import Any


def counted_already(context: Mapping[str, Any]) -> bool:
    """Whether a complaint of the loop's was counted: a TLS handshake that failed just after its time was up.

    uvloop sets that failure on a future for which nobody waits any more.
    """
    future = context.get("future")
    forgotten = future is not None and not isinstance(future, asyncio.Task)
    return forgotten and isinstance(context.get("exception"), OSError)


class HandedSocket(_socket.socket):
    """A socket for ``create_connection(sock=...)``, to be closed by libuv alone.

    uvloop detaches sockets of Python's own class when it is done with them, but closes any other; by then the
    descriptor's number may be another's.
    """

    close = _socket.socket.detach  # type: ignore[assignment]

    def abandon(self) -> None:
        """Closes a socket that was not handed over."""
        super().close()


async def connect_socket(loop: asyncio.AbstractEventLoop, sock: HandedSocket, address: Any) -> None:
    """``loop.sock_connect`` for a `HandedSocket`, which is not documented to be allowed."""
    await loop.sock_connect(sock, address)  # type: ignore[arg-type]
