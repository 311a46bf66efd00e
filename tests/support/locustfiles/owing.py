"""A user with one request a tenth of a second, which ends in its own time; and Locust's recipe for the exit code."""

import os

from locust import constant, events

if code := os.environ.get("TEST_EARLY_CODE"):

    @events.quitting.add_listener
    def set_code_early(environment, **_):
        environment.process_exit_code = int(code)


from wsload import WebSocketUser, task

if late := os.environ.get("TEST_LATE_CODE"):

    @events.quitting.add_listener
    def set_code_late(environment, **_):
        environment.process_exit_code = int(late)


class Guest(WebSocketUser):
    wait_time = constant(0.1)

    @task
    async def ask(self):
        await self.round_trip("hello")
