"""One user for each server named in TEST_SERVERS, a JSON object of class names and URLs."""

import json
import os

from locust import constant, task

from wsload import ChatUser


class Visitor(ChatUser):
    abstract = True
    fixed_count = 1
    wait_time = constant(0.1)

    @task
    async def post(self):
        await self.say("hello")


for name, url in json.loads(os.environ["TEST_SERVERS"]).items():
    globals()[name] = type(name, (Visitor,), {"url": url})
