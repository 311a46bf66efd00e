"""wsload: load generator and latency benchmark for WebSocket chat servers, on Locust.

The names below are what a locustfile imports; they load Locust, which patches the process, only
when they are first used. ``wsload.cli`` and the floors below it work without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsload.plugin import ChatUser, WebSocketUser, constant_rate, embedded_server, poisson_rate

__all__ = ["ChatUser", "WebSocketUser", "constant_rate", "embedded_server", "poisson_rate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from wsload import plugin

        return getattr(plugin, name)
    raise AttributeError(f"module 'wsload' has no attribute {name!r}")
