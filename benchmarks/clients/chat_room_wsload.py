"""A locustfile: users in a chat room, posting at ``--ws-rate``."""

from locust import constant, task

from wsload import ChatUser


class Chatter(ChatUser):
    wait_time = constant(1)

    @task
    async def post(self):
        await self.say("hello")
