"""A locustfile: people in a chat room, posting when ``--ws-rate`` says so."""

from locust import constant, task

from wsload import ChatUser


class Chatter(ChatUser):
    wait_time = constant(1)

    @task
    async def post(self):
        await self.say("hello")
