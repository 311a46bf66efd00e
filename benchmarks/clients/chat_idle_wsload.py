"""A locustfile: idle users logged into a chat room."""

from locust import constant, task

from wsload import ChatUser


class Lurker(ChatUser):
    wait_time = constant(3600)

    @task
    async def listen(self):
        pass
