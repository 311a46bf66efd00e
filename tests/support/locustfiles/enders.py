"""Users that end the run, all at once: by what TEST_HOW says, at the place in their lives TEST_WHERE."""

import asyncio
import math
import os
import sys
import time

from locust import constant, events, task
from locust.exception import StopTest

from wsload import WebSocketUser

WHERE, HOW = os.environ["TEST_WHERE"], os.environ["TEST_HOW"]
ending = time.monotonic() + 60


def end(environment, place):
    if place != WHERE or time.monotonic() < ending:
        return
    if HOW == "quit":
        environment.runner.quit()
    elif HOW == "stop":
        environment.runner.stop()
    elif HOW == "exit":
        sys.exit(7)
    elif HOW == "StopTest":
        raise StopTest("enough")


class Ender(WebSocketUser):
    wait_time = constant(0.1)

    async def on_start(self):
        if WHERE == "on_start":
            await asyncio.sleep(2)
        end(self.environment, "on_start")

    async def on_connect(self):
        if WHERE == "on_connect":
            await asyncio.sleep(2)
        end(self.environment, "on_connect")

    async def on_stop(self):
        end(self.environment, "on_stop")

    @task
    async def ask(self):
        end(self.environment, "task")
        if WHERE == "error" and time.monotonic() > ending:
            raise ValueError("a bug")
        if WHERE == "thread":
            await asyncio.to_thread(end, self.environment, "thread")
        if WHERE == "event":
            event = {"request_type": "OWN", "name": "mine", "response_time": 1, "response_length": 0}
            self.environment.events.request.fire(**event, exception=None, context={})
        await self.round_trip("hello")


class Listener(WebSocketUser):
    """Its messages are heard, not asked for."""

    fixed_count = 1
    wait_time = constant(0.1)

    def on_message(self, message):
        end(self.environment, "on_message")

    @task
    async def say(self):
        await self.send("hello")


@events.test_start.add_listener
def listen(environment, **_):
    global ending
    ending = time.monotonic() + 1.5
    if "TEST_ONE_WORKER" in os.environ and getattr(environment.runner, "worker_index", 0) != 0:
        ending = math.inf

    def on_request(request_type, name, **_):
        end(environment, "event" if name == "mine" else "listener")

    if WHERE == "error":
        environment.events.user_error.add_listener(lambda **_: end(environment, "error"))
    if WHERE in ("listener", "event"):
        environment.events.request.add_listener(on_request)
