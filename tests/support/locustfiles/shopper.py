"""Requests, a step, a value and counters with names that only a quoted check can hold; ``WORKER_NAMES`` adds many."""

from __future__ import annotations

import os

from locust import constant

from wsload import WebSocketUser, task

MANY = int(os.environ.get("WORKER_NAMES", "0"))


class Shopper(WebSocketUser):
    wait_time = constant(0.05)

    async def on_connect(self) -> None:
        self.count("gaps in the feed", 0)
        for number in range(MANY):
            self.record(f"item {os.getpid()}-{number}", 0.001)

    @task
    async def shop(self) -> None:
        await self.round_trip("first", name="sub first, then <b>")
        with self.measure("check out: 'all'") as step:
            await self.round_trip(
                "buy", name="buy", check=lambda reply: "sold out" if id(reply) % 7 == 0 else None
            )
            if self.context().get("never"):
                step.failed("never")
        self.record("tick", 0.02)
        self.count("books sold")
