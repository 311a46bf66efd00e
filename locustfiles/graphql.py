"""GraphQL over ``graphql-transport-ws``:

    locust -f locustfiles/graphql.py --host ws://127.0.0.1:4000

For a query the time to its result is measured, for a subscription the times to its first
event and to its end.
"""

import asyncio
import itertools
import json
from typing import Any

from wsload import WebSocketUser, constant_rate, task


def errors(message: str) -> str | None:
    """The kind of failure if the message reports errors."""
    found = json.loads(message)
    failed = found["type"] == "error" or found.get("payload", {}).get("errors")
    return "GraphQL errors" if failed else None


def is_last(message: str) -> bool:
    """Whether this is an operation's last message."""
    return json.loads(message)["type"] in ("complete", "error")


class Reader(WebSocketUser):
    url = "/graphql"
    subprotocols = ("graphql-transport-ws",)
    wait_time = constant_rate(5)
    ids = itertools.count(1)

    def key_of(self, message: str) -> Any:
        found = json.loads(message)
        if found["type"] == "connection_ack":
            return "connection_ack"
        number = found.get("id")  # pings, which may come before on_connect, have none
        if number is None or found["type"] == "complete" or number in self.streams:
            return None
        return number

    def on_message(self, message: str) -> None:
        found = json.loads(message)
        if found["type"] == "ping":  # the protocol's own: a server may close a connection without a pong
            self.send_nowait('{"type": "pong"}')
        elif found.get("id") in self.streams:
            self.streams[found["id"]].put_nowait(message)

    async def on_connect(self) -> None:
        self.streams: dict[str, asyncio.Queue[str]] = {}
        hello = '{"type": "connection_init"}'
        await self.request(hello, key="connection_ack", name="connect")

    def operation(self, query: str) -> tuple[str, str]:
        number = str(next(self.ids))
        message = {"id": number, "type": "subscribe", "payload": {"query": query}}
        return json.dumps(message), number

    @task(5)
    async def look_up(self) -> None:
        data, number = self.operation("{ book(id: 7) { title } }")
        await self.request(data, key=number, name="book", check=errors)

    @task
    async def look_up_what_is_banned(self) -> None:
        data, number = self.operation("{ banned { title } }")
        await self.request(data, key=number, name="banned", check=errors)

    async def watch(self, query: str, name: str) -> None:
        """A subscription to its end. One that is refused has an answer too, but no event."""
        data, number = self.operation(query)
        events = self.streams[number] = asyncio.Queue()
        try:
            async with asyncio.timeout(5):
                with self.measure(f"{name}, to the end") as whole:
                    with self.measure(f"{name}, to the first") as first:
                        await self.send(data)
                        message = await events.get()
                        failed = errors(message)
                        if failed is None and is_last(message):
                            failed = "no event"
                        if failed is not None:
                            first.failed(failed)
                            whole.failed(failed)
                    while not is_last(message):
                        message = await events.get()
                        if (failed := errors(message)) is not None:
                            whole.failed(failed)
        finally:
            self.streams.pop(number, None)

    @task
    async def watch_arrivals(self) -> None:
        await self.watch("subscription { arrival { title } }", "arrivals")

    @task
    async def watch_what_is_banned(self) -> None:
        await self.watch("subscription { bannedArrival { title } }", "banned arrivals")
