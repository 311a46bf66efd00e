"""A locustfile: wsload with everything enabled."""

import os
from pathlib import Path

from locust import constant, task

from wsload import WebSocketUser

FILE = os.environ.get("BENCH_MESSAGE")
MESSAGE = Path(FILE).read_text() if FILE else "x" * int(os.environ.get("BENCH_BYTES", "100"))


class Talker(WebSocketUser):
    wait_time = constant(0)

    @task
    async def talk(self):
        await self.round_trip(MESSAGE)
