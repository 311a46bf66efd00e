"""Users that record times of their own as Locust documents it, an HttpUser, and a listener.

How often each event was fired, and heard, is written to ``seen-PID.json``.
"""

import json
import os
import time
from collections import Counter
from pathlib import Path

from locust import HttpUser, constant, events, task

from wsload import WebSocketUser

FIRED = Counter()
HEARD = Counter()
ASKED = {}
"""When each text was sent and answered, by the wall clock, and whether its answer was refused."""
STEP_S = 0.005
"""Of the wall clock, while it is being adjusted."""
HTTP = os.environ["TEST_HTTP"]


class Browser(HttpUser):
    fixed_count = 1
    host = HTTP
    wait_time = constant(0.05)

    @task
    def get(self):
        FIRED["/there" if self.client.get("/there").ok else "failed"] += 1

    @task
    def get_what_is_missing(self):
        self.client.get("/missing")
        FIRED["/missing failed"] += 1


class Timekeeper(WebSocketUser):
    url = os.environ["TEST_ECHO"]
    wait_time = constant(0.02)

    def fire(self, name, response_time, exception=None):
        FIRED[name + (" failed" if exception else "")] += 1
        self.environment.events.request.fire(
            request_type="OWN",
            name=name,
            response_time=response_time,
            response_length=0,
            exception=exception,
            context=self.context(),
        )

    @task
    async def keep_times(self):
        self.fire("my own", 250)
        self.fire("my own", 1, exception=ValueError("sold out"))
        self.fire("open", 40)  # wsload measures something else under that name
        self.fire("not timed", None)

    @task
    async def keep_one_time(self):
        with self.environment.events.request.measure("OWN", "measured"):
            FIRED["measured"] += 1

    def context(self):
        return {"asked": ASKED}

    @task
    async def ask(self):
        for check in (None, lambda _: "sold out"):
            text = f"hello {len(ASKED)}"
            ASKED[text] = [time.time(), 0, check is not None]
            answer = await self.round_trip(text, check=check)
            ASKED[text][1] = time.time()
            assert answer == text


@events.request.add_listener
def listen(request_type, **arguments):
    if request_type == "WS":
        hear(**arguments)


def hear(name, response_time, response_length, response, context, exception, start_time, url):
    assert url.startswith("ws://127.0.0.1")
    if name == "message":
        assert context == {"asked": ASKED}
        began, ended, refused = ASKED[response] if response else (0, 0, True)
        assert (
            began - STEP_S
            < start_time
            <= start_time + (response_time or 0) / 1000
            < (ended or time.time()) + STEP_S
        )
        assert (exception is not None) == refused
    else:
        assert abs(start_time - time.time()) < 5
    HEARD[name + (" failed" if exception else "")] += 1


@events.quit.add_listener
def write(**_):
    Path(f"seen-{os.getpid()}.json").write_text(json.dumps({"fired": FIRED, "heard": HEARD}))
