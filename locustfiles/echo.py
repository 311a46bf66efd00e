"""Round trips with any WebSocket echo server:

    locust -f locustfiles/echo.py --host ws://127.0.0.1:9000

The n-th answer belongs to the n-th request.
"""

from locust import constant

from wsload import WebSocketUser, task


class Echo(WebSocketUser):
    wait_time = constant(1)

    @task
    async def ping_pong(self) -> None:
        reply = await self.round_trip("x" * 100)
        assert reply == "x" * 100
