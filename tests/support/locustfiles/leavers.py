"""Guests who would say goodbye; the first to arrive interrupts the test, before the others were due."""

import os
import signal

from locust import constant, task

from wsload import WebSocketUser


class Guest(WebSocketUser):
    subprotocols = ("json",)
    wait_time = constant(60)
    nobody_yet = True

    async def on_stop(self):
        await self.send("goodbye")

    @task
    async def end_it(self):
        if Guest.nobody_yet:
            Guest.nobody_yet = False
            os.kill(os.getpid(), signal.SIGINT)
