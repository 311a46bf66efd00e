"""wsload's side of Locust: user classes, options, events. The only package that imports ``locust``."""

from wsload.plugin.chat_user import ChatUser
from wsload.plugin.embedded import embedded_server
from wsload.plugin.lifecycle import install
from wsload.plugin.waits import constant_rate, poisson_rate
from wsload.plugin.websocket_user import WebSocketUser

__all__ = ["ChatUser", "WebSocketUser", "constant_rate", "embedded_server", "poisson_rate"]

install()
