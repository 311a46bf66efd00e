"""Users that forget an await here and there: WHERE says where."""

from __future__ import annotations

import asyncio
import os

from locust import constant

from wsload import WebSocketUser, task

WHERE = os.environ["WHERE"]


class Forgetful(WebSocketUser):
    wait_time = constant(0.1)

    async def on_start(self) -> None:
        if WHERE == "on_start":
            self.helper()

    async def helper(self) -> None:
        await self.send("again")

    @task
    async def talk(self) -> None:
        await self.round_trip("hello")
        if WHERE == "receive":
            self.receive()
        elif WHERE == "helper":
            self.helper()
        elif WHERE == "sleep":
            asyncio.sleep(1)
        elif WHERE == "close":
            self.close()
        elif WHERE == "open":
            self.open("/prices")
        elif WHERE == "open, kept":
            self.prices = self.open("/prices")
        elif WHERE == "nowhere":
            self.round_trip("another")
            async with self.open("/prices"):
                pass
            self.prices = await self.open("/prices")
            await self.prices.close()
