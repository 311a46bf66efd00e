"""A locustfile: wsload with everything enabled."""

from locust import constant, task

from wsload import WebSocketUser

MESSAGE = "x" * 100


class Talker(WebSocketUser):
    wait_time = constant(0)

    @task
    async def talk(self):
        await self.round_trip(MESSAGE)
