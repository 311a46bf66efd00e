"""Numbered messages to `benchmarks.capacity.server`, each answered by itself: a locustfile."""

from __future__ import annotations

import itertools

from locust import constant

from wsload import WebSocketUser, task

NUMBERS = itertools.count()


class Numbered(WebSocketUser):
    wait_time = constant(1)

    def key_of(self, message: str) -> str:
        return message

    @task
    async def ask(self) -> None:
        number = str(next(NUMBERS))
        await self.request(number, key=number, name="message")
