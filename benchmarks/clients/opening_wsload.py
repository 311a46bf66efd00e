"""A locustfile: repeatedly opens and closes connections."""

from locust import constant, task

from wsload import WebSocketUser


class Visitor(WebSocketUser):
    auto_connect = False
    wait_time = constant(0)

    @task
    async def come_and_go(self):
        await self.connect()
        await self.close()
