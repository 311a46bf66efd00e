"""A locustfile: wsload with everything enabled."""

import os

from locust import constant, task

from wsload import WebSocketUser

MESSAGE = "x" * int(os.environ.get("BENCH_BYTES", "100"))


class Talker(WebSocketUser):
    wait_time = constant(0)

    @task
    async def talk(self):
        await self.round_trip(MESSAGE)
