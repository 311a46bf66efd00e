"""A locustfile: rooms of users who listen, one of whom posts every twenty seconds."""

import itertools
import os

from locust import constant, constant_pacing, task

from wsload import ChatUser

rooms = itertools.cycle(os.environ["LARGE_SWARM_ROOMS"].split())


class Listener(ChatUser):
    wait_time = constant(3600)

    def __init__(self, environment):
        super().__init__(environment)
        self.url = next(rooms)

    @task
    async def listen(self):
        pass


class Speaker(Listener):
    fixed_count = 1
    wait_time = constant_pacing(20)

    @task
    async def speak(self):
        await self.say("hello, all of you")
