"""A person's client in the chat, as plain as can be: what the embedded server is tried with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


class Guest:
    """A client that remembers everything it was told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.id: int = 0
        self.name = ""
        self.got: list[Any] = []

    async def send(self, **fields: object) -> None:
        await self.connection.send(json.dumps({**fields, "id": self.id, "date": 1}))

    async def login(self, name: str) -> None:
        await self.send(type="username", name=name)
        confirmed = await self.until(lambda m: m.get("type") == "username" and m["id"] == self.id)
        self.name = confirmed["name"]

    async def until(self, wanted: Callable[[dict[str, Any]], object]) -> Any:
        """The next message that is wanted; the others are kept too."""
        while True:
            data = await self.connection.recv()
            try:
                message = json.loads(data)
            except ValueError:
                message = data
            self.got.append(message)
            if isinstance(message, dict) and wanted(message):
                return message

    async def post(self, text: str) -> None:
        await self.send(type="message", text=text)

    async def hears(self, text: str) -> Any:
        return await self.until(lambda m: m.get("text") == text)

    async def until_closed(self) -> tuple[int, str]:
        with suppress(ConnectionClosed):
            await self.until(lambda _: False)
        return self.connection.close_code or 0, self.connection.close_reason or ""


@asynccontextmanager
async def guest(url: str, name: str | None = None, **settings: Any) -> AsyncIterator[Guest]:
    # Without a limit on what waits to be read, so that a scene may send first and listen later.
    defaults = {"subprotocols": ["json"], "compression": None, "proxy": None, "max_queue": None}
    async with connect(url, **{**defaults, **settings}) as connection:
        someone = Guest(connection)
        someone.id = (await someone.until(lambda m: m.get("type") == "id"))["id"]
        if name is not None:
            await someone.login(name)
        yield someone
