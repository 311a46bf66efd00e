"""A room of people who listen, and one who says something every twenty seconds."""

from locust import constant, constant_pacing, task

from wsload import ChatUser


class Listener(ChatUser):
    wait_time = constant(3600)

    @task
    async def listen(self):
        pass


class Speaker(ChatUser):
    fixed_count = 1
    wait_time = constant_pacing(20)

    @task
    async def speak(self):
        await self.say("hello, all of you")
