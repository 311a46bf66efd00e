"""One user for each server named in TEST_SERVERS, a JSON object of class names and URLs.

What each of them met is written to ``seen.json``: by class name, how often what happened.
"""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

from locust import constant, events, task

from wsload import ChatUser
from wsload.errors import WorkloadError

SEEN = defaultdict(Counter)


class Visitor(ChatUser):
    abstract = True
    fixed_count = 1
    wait_time = constant(0.1)

    def saw(self, what):
        SEEN[type(self).__name__][what] += 1

    def on_error(self, error):
        self.saw(f"open: {error.kind}")

    async def on_connect(self):
        try:
            await super().on_connect()
        except WorkloadError as error:
            self.saw(f"login: {error.kind}")
            raise
        self.saw("joined")

    def on_close(self, code, reason):
        self.saw(f"close {code}")

    @task
    async def post(self):
        try:
            await self.say("hello")
        except WorkloadError as error:
            self.saw(f"message: {error.kind}")
        else:
            self.saw("answered")


@events.quit.add_listener
def write(**_):
    Path("seen.json").write_text(json.dumps(SEEN))


for name, url in json.loads(os.environ["TEST_SERVERS"]).items():
    globals()[name] = type(name, (Visitor,), {"url": url})
