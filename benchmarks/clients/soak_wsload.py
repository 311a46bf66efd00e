"""A locustfile: users who ask at a steady rate, and now and then leave and come back by themselves."""

import asyncio
import itertools
import os
import random

from locust import task

from wsload import OpenError, WebSocketUser, constant_rate

LEAVING = 1 / 5_000


class Asker(WebSocketUser):
    wait_time = constant_rate(float(os.environ["SOAK_RATE"]))
    overlap = False  # one under way at a time: what a closed connection can swallow is one message

    def __init__(self, environment):
        super().__init__(environment)
        self.numbers = itertools.count()

    def key_of(self, message):
        return int(message.partition(" ")[0])

    @task
    async def ask(self):
        number = next(self.numbers)
        await self.request(f"{number} {'x' * 100}", key=number, name="ask")
        if random.random() < LEAVING:
            await self.close()
            await self.come_back()

    async def come_back(self):
        while True:
            try:
                return await self.connect()  # one attempt, which the server may refuse
            except OpenError:
                await asyncio.sleep(0.2)
