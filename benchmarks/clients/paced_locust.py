"""A locustfile: the usual Locust user on websocket-client, at the rate PACED_RATE for each user."""

import os
import time

import websocket
from locust import User, constant_throughput, task


class Paced(User):
    wait_time = constant_throughput(float(os.environ["PACED_RATE"]))

    def on_start(self):
        self.connection = websocket.create_connection(self.host, timeout=60)

    @task
    def ask(self):
        began = time.perf_counter()
        self.connection.send("hello")
        reply = self.connection.recv()
        self.environment.events.request.fire(
            request_type="WS",
            name="message",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=len(reply),
            exception=None,
            context={},
        )
