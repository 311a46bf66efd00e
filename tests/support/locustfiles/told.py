"""Users that tell what their hooks and calls are told of failures."""

from __future__ import annotations

from locust import constant

from wsload import WebSocketUser, WorkloadError, task


class Listener(WebSocketUser):
    wait_time = constant(0.1)

    def on_error(self, error: WorkloadError) -> None:
        print(f"on_error: {error}", flush=True)

    @task
    async def talk(self) -> None:
        try:
            await self.round_trip("hello")
        except WorkloadError as error:
            print(f"raised: {error}", flush=True)
            raise
