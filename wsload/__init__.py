"""wsload: load generator and latency benchmark for WebSocket services, on Locust.

A locustfile imports the names in `__all__`. Locust, which patches the process, is loaded only when one of them is
first used, so `wsload.commands` works without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wsload.errors import (
        AlreadyConnected,
        ConnectionLost,
        HttpError,
        LoginError,
        MessageTimeout,
        NotConnected,
        OpenError,
        UsageError,
        WorkloadError,
    )
    from wsload.load.users.context.feed import feed
    from wsload.load.users.sockets.opening import Opening
    from wsload.load.users.tasks import task
    from wsload.load.users.waits import constant_rate, poisson_rate
    from wsload.load.users.websocket import WebSocketUser
    from wsload.protocols.chat.user import ChatUser
    from wsload.server.embedded import embedded_server

_HOMES: Final = {
    "ChatUser": "wsload.protocols.chat.user",
    "Opening": "wsload.load.users.sockets.opening",
    "WebSocketUser": "wsload.load.users.websocket",
    "constant_rate": "wsload.load.users.waits",
    "embedded_server": "wsload.server.embedded",
    "feed": "wsload.load.users.context.feed",
    "poisson_rate": "wsload.load.users.waits",
    "task": "wsload.load.users.tasks",
} | dict.fromkeys(
    (
        *("AlreadyConnected", "ConnectionLost", "HttpError", "LoginError", "MessageTimeout", "NotConnected"),
        *("OpenError", "UsageError", "WorkloadError"),
    ),
    "wsload.errors",
)
__all__ = [
    "AlreadyConnected",
    "ChatUser",
    "ConnectionLost",
    "HttpError",
    "LoginError",
    "MessageTimeout",
    "NotConnected",
    "OpenError",
    "Opening",
    "UsageError",
    "WebSocketUser",
    "WorkloadError",
    "constant_rate",
    "embedded_server",
    "feed",
    "poisson_rate",
    "task",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wsload' has no attribute {name!r}")
    if home != "wsload.errors":
        importlib.import_module("wsload.load.events").install()
    return getattr(importlib.import_module(home), name)
