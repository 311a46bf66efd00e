"""The users of owing.py, by a shape: TEST_SHAPE says how many until which second, ``2:4 3:1``."""

import os

from locust import LoadTestShape
from owing import Guest  # noqa: F401

STEPS = [tuple(map(int, step.split(":"))) for step in os.environ.get("TEST_SHAPE", "300:4").split()]


class Steps(LoadTestShape):
    def tick(self):
        return next(((users, 100) for until, users in STEPS if self.get_run_time() < until), None)
