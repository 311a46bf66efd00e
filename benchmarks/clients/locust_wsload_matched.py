"""A locustfile: wsload with everything enabled, each request with a name and a key."""

from locust import constant, task

from wsload import WebSocketUser

MESSAGE = "x" * 92


class Talker(WebSocketUser):
    wait_time = constant(0)
    number = 0

    def key_of(self, message):
        return message[:8]

    @task
    async def talk(self):
        self.number += 1
        key = f"{self.number:08d}"
        await self.request(key + MESSAGE, key=key, name="talk")
