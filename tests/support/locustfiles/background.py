"""Users with a bug in what runs beside their tasks: HOW says in what."""

from __future__ import annotations

import asyncio
import os

import gevent
from locust import constant

from wsload import WebSocketUser, task

HOW = os.environ["HOW"]


class Reader(WebSocketUser):
    wait_time = constant(0.1)

    async def read(self) -> None:
        raise KeyError("odd push")

    def tick(self) -> None:
        raise KeyError("odd push")

    async def on_start(self) -> None:
        if HOW == "a task that is kept":
            self.reader = asyncio.create_task(self.read())
        elif HOW == "a task that is dropped":
            asyncio.create_task(self.read())  # noqa: RUF006  # on purpose
        elif HOW == "a callback":
            asyncio.get_running_loop().call_later(0.1, self.tick)

    @task
    async def talk(self) -> None:
        if HOW == "gevent.Timeout":
            with gevent.Timeout(2):
                await self.round_trip("hello")
        await self.round_trip("hello")
