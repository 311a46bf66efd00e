"""A locustfile: requests that are due at a rate, `--ws-rate`, each matched by its number."""

import itertools

from locust import constant, task

from wsload import WebSocketUser

NUMBERS = itertools.count()


class Paced(WebSocketUser):
    wait_time = constant(1)

    def key_of(self, message):
        return message

    @task
    async def ask(self):
        number = str(next(NUMBERS))
        await self.request(number, key=number, name="message")
