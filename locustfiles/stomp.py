"""STOMP 1.2 over WebSocket, as RabbitMQ's web-stomp speaks it:

    locust -f locustfiles/stomp.py --host ws://127.0.0.1:15674

A message that asks for a receipt is a request. The time until the subscription delivers a
message is measured too.
"""

import itertools
import platform
import time

from wsload import WebSocketUser, constant_rate, task

HOST = platform.node()


def frame(command: str, body: str = "", **headers: object) -> str:
    """A frame; underscores in header names stand for hyphens."""
    named = (f"{name.replace('_', '-')}:{value}" for name, value in headers.items())
    lines = [command, *named]
    return "\n".join(lines) + f"\n\n{body}\0"


def parsed(message: str) -> tuple[str, dict[str, str], str]:
    """A frame's command, headers and body; a heart-beat, which is a line break, has none."""
    head, _, body = message.lstrip("\r\n").partition("\n\n")
    command, *lines = head.split("\n")
    return command, dict(line.split(":", 1) for line in lines), body.rstrip("\0\n")


def error_of(message: str) -> str | None:
    """The kind of failure if the answer is an error."""
    command, headers, _ = parsed(message)
    return headers.get("message", "error") if command == "ERROR" else None


class Publisher(WebSocketUser):
    url = "/ws"
    subprotocols = ("v12.stomp",)
    wait_time = constant_rate(5)
    ids = itertools.count(1)

    def key_of(self, message: str) -> str | None:
        command, headers, _ = parsed(message)
        connects = command in ("CONNECTED", "ERROR")
        return headers.get("receipt-id", "CONNECTED" if connects else None)

    def on_message(self, message: str) -> None:
        command, _, body = parsed(message)
        host, _, sent = body.partition(" ")
        if command == "MESSAGE" and host == HOST:  # another host's clock says something else
            self.record("delivery to subscribers", seconds=time.monotonic() - float(sent))

    async def on_connect(self) -> None:
        login = {"login": "guest", "passcode": "guest"}
        hello = frame("CONNECT", accept_version="1.2", host="/", **login)
        await self.request(hello, key="CONNECTED", name="CONNECT", check=error_of)
        await self.command("SUBSCRIBE", id=0, destination="/topic/readings")

    async def command(self, command: str, body: str = "", **headers: object) -> None:
        receipt = str(next(self.ids))
        data = frame(command, body, receipt=receipt, **headers)
        await self.request(data, key=receipt, name=command, check=error_of)

    @task
    async def publish(self) -> None:
        await self.command("SEND", f"{HOST} {time.monotonic()}", destination="/topic/readings")
