"""A locustfile: the usual Locust user for WebSockets, on websocket-client under gevent."""

import os
import time

import websocket
from locust import User, constant, constant_throughput, task

MESSAGE = "x" * 100
RATE = os.environ.get("PACED_RATE")
"""Messages a second of each user; without it as many as go."""


class Talker(User):
    wait_time = constant_throughput(float(RATE)) if RATE else constant(0)

    def on_start(self):
        self.connection = websocket.create_connection(self.host, timeout=60)

    @task
    def round_trip(self):
        began = time.perf_counter()
        self.connection.send(MESSAGE)
        reply = self.connection.recv()
        self.environment.events.request.fire(
            request_type="WS",
            name="message",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=len(reply),
            exception=None,
            context={},
        )
