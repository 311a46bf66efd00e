"""A chat as it should be, and beside it one user each of the servers in TEST_SERVERS, which mean no good."""

import json
import os

from locust import constant, task

from wsload import ChatUser, WebSocketUser, constant_rate


class Healthy(ChatUser):
    fixed_count = 10
    wait_time = constant_rate(20)

    @task
    async def post(self):
        await self.say("hello")


class Victim(WebSocketUser):
    abstract = True
    fixed_count = 1
    wait_time = constant(1)

    @task
    async def stay(self):
        pass


for name, url in json.loads(os.environ["TEST_SERVERS"]).items():
    globals()[name] = type(name, (Victim,), {"url": url, "tasks": Victim.tasks})
