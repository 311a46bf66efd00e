"""A locustfile: people who are logged into a chat room and say nothing."""

from locust import constant, task

from wsload import ChatUser


class Lurker(ChatUser):
    wait_time = constant(3600)

    @task
    async def listen(self):
        pass
