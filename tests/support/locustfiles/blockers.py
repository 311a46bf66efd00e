"""A user that blocks, or will not end: as TEST_HOW says, once there was an answer."""

import asyncio
import contextlib
import os
import re
import time

from locust import constant, task

from wsload import WebSocketUser

HOW, SECONDS = os.environ["TEST_HOW"], float(os.environ.get("TEST_SECONDS", "10000"))


def compute():
    ending = time.monotonic() + SECONDS
    while time.monotonic() < ending:
        pass


class Blocker(WebSocketUser):
    fixed_count = 1
    wait_time = constant(0.3)
    asked = 0

    async def on_stop(self):
        if HOW == "on_stop":
            await asyncio.sleep(SECONDS)

    def on_close(self, code, reason):
        if HOW == "on_close":
            time.sleep(SECONDS)

    @task
    async def ask(self):
        await self.round_trip("hello")
        self.asked += 1
        if self.asked != 3:
            return
        if HOW == "sleep":
            time.sleep(SECONDS)  # noqa: ASYNC251
        elif HOW == "compute":
            compute()
        elif HOW == "lock":
            re.match("(a+)+$", "a" * 60 + "b")  # for years, and nobody else has the interpreter
        elif HOW == "deaf":
            await self.never_mind()

    async def never_mind(self):
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(SECONDS)


class Neighbour(WebSocketUser):
    wait_time = constant(0.1)

    @task
    async def ask(self):
        await self.round_trip("hello")
