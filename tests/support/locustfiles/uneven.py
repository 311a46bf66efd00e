"""Two tasks of different weight, and ways to fail on one side only: that of the URL in ENDING."""

import os
import sys

from locust import constant, events

from wsload import WebSocketUser, task

HOW, ENDING = os.environ.get("HOW", ""), os.environ.get("ENDING")


class Asker(WebSocketUser):
    wait_time = constant(0.02)
    url = "/"
    asked = 0

    @task(9)
    async def often(self):
        self.asked += 1
        await self.round_trip("hello", name="often")
        if self.host == ENDING and self.asked > 20:
            if HOW == "exit":
                sys.exit(7)
            if HOW == "raise":
                raise RuntimeError("as asked")

    @task(1)
    async def seldom(self):
        await self.round_trip("hello", name="seldom")


@events.quitting.add_listener
def on_quitting(environment, **_):
    if HOW == "quitting" and environment.host == ENDING:
        environment.process_exit_code = 9
