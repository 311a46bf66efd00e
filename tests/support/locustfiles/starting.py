"""Users whose server is named by a listener of ``test_start``, which may be slow, or end the run."""

import os
import signal
import time

import gevent
from locust import constant, events
from locust.exception import StopTest

from wsload import WebSocketUser, task

HOW, HOST = os.environ["TEST_HOW"], os.environ["TEST_HOST"]


class Client(WebSocketUser):
    url = "/room"
    wait_time = constant(0.05)

    @task
    async def ask(self):
        await self.round_trip("hello")


@events.test_start.add_listener
def decide(environment, **_):
    if HOW == "environment":
        environment.host = HOST
    elif HOW == "class":
        Client.host = HOST
    elif HOW == "url":
        Client.url = f"{HOST}/room"
    elif HOW == "signal":
        gevent.spawn_later(0.3, os.kill, os.getpid(), signal.SIGINT)
        time.sleep(2)
    elif HOW == "quit":
        environment.runner.quit()
    elif HOW == "StopTest":
        raise StopTest
    elif HOW == "slow":
        time.sleep(1.5)
    print("decided at", time.time(), flush=True)
