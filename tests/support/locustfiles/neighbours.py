"""Two kinds of users side by side: one whose TLS handshakes all fail, one that opens and closes in order."""

import os

from locust import constant, task

from wsload import WebSocketUser


class Neighbour(WebSocketUser):
    abstract = True
    auto_connect = False
    wait_time = constant(0.02)


class Distrustful(Neighbour):
    url = os.environ["TEST_UNTRUSTED"]

    @task
    async def call_in(self):
        await self.connect()


class Guest(Neighbour):
    url = os.environ["TEST_ECHO"]

    @task
    async def call_in(self):
        await self.connect()
        assert await self.round_trip("hello") == "hello"
        await self.close()
