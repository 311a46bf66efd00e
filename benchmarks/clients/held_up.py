# ruff: noqa: ASYNC251
"""Users who post, and who hold up their process in the way that HELD_UP_HABIT names."""

import os
import random
import time

from locust import task

from wsload import ChatUser, constant_rate

HABIT = os.environ.get("HELD_UP_HABIT", "behave")
OFTEN = float(os.environ.get("HELD_UP_OFTEN", "0"))
RATE = os.environ.get("HELD_UP_RATE")


def work(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


class Guest(ChatUser):
    if RATE:
        wait_time = constant_rate(float(RATE))
    else:

        def wait_time(self):
            return random.uniform(0.01, 0.05)

    @task
    async def post(self):
        held_up = random.random() < OFTEN
        if HABIT == "block before" and held_up:
            time.sleep(random.uniform(0.002, 0.01))
        await self.say("hello")
        if HABIT == "block" and held_up:
            time.sleep(random.uniform(0.005, 0.03))
        if HABIT == "block long" and held_up:
            time.sleep(0.3)

    if HABIT == "work":

        def on_post(self, message):
            if random.random() < OFTEN / 5:
                work(0.01)
