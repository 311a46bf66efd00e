"""Users of the chat's kind beside three times as many HttpUsers, which never do anything."""

from locust import HttpUser, constant

from wsload import WebSocketUser, task


class Browser(HttpUser):
    weight = 3
    host = "http://127.0.0.1:1"
    wait_time = constant(1000)

    @task
    def nothing(self):
        pass


class Guest(WebSocketUser):
    @task
    async def ask(self):
        await self.round_trip("hello")
