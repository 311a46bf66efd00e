"""The users of owing.py, over five minutes, by a shape."""

from locust import LoadTestShape
from owing import Guest  # noqa: F401


class Steady(LoadTestShape):
    def tick(self):
        return (4, 4) if self.get_run_time() < 300 else None
