"""Socket.IO 4 without HTTP polling:

    locust -f locustfiles/socketio.py --host ws://127.0.0.1:3000

An event that the server acknowledges is a request. The digits at the start of a frame are
its type: ``0`` is the server's hello, ``2`` its ping, ``40`` connected, ``44`` refused,
``42`` an event, and ``43N`` the acknowledgement of event N.
"""

import itertools
import json
import re
import time
from typing import Any

from wsload import WebSocketUser, constant_rate, task


def refused(message: str) -> str | None:
    """The kind of failure if the server does not let the client connect."""
    return "refused" if message.startswith("44") else None


def not_ok(message: str) -> str | None:
    """The kind of failure if the acknowledgement is a refusal."""
    return None if '"ok":true' in message else "refused"


class Customer(WebSocketUser):
    url = "/socket.io/?EIO=4&transport=websocket"
    wait_time = constant_rate(5)
    ids = itertools.count(1)

    def key_of(self, message: str) -> str | None:
        if message.startswith(("40", "44")):
            return "40"
        found = re.match(r"43\d+", message)
        return found[0] if found else None

    def on_message(self, message: str) -> None:
        if message == "2":
            self.send_nowait("3")
        elif message.startswith("42"):
            event, data = json.loads(message[2:])
            self.record(event, seconds=time.time() - data["at"] / 1000)

    async def on_connect(self) -> None:
        await self.request("40", key="40", name="connect", check=refused)

    async def emit(self, event: str, data: Any) -> Any:
        number = next(self.ids)
        packet = f"42{number}{json.dumps([event, data])}"
        return await self.request(packet, key=f"43{number}", name=event, check=not_ok)

    @task(9)
    async def order(self) -> None:
        await self.emit("order", {"item": "silver"})

    @task
    async def order_what_is_refused(self) -> None:
        await self.emit("order", {"item": "gold"})
