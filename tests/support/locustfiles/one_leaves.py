"""Users whose first side ends the run; listeners of Locust's events say for whom they were called."""

import os

from locust import constant, events
from locust.exception import StopTest

from wsload import WebSocketUser, task


class Echoer(WebSocketUser):
    wait_time = constant(0.05)
    url = "/"
    asked = 0

    @task
    async def ask(self):
        await self.round_trip("hello")
        self.asked += 1
        if self.asked == 60 and self.host == os.environ.get("ENDING"):
            raise StopTest


@events.init.add_listener
def on_init(environment, **_):
    print("init", environment.host)


@events.test_start.add_listener
def on_start(environment, **_):
    print("start", environment.host)


@events.test_stop.add_listener
def on_stop(environment, **_):
    print("stop", environment.host)
