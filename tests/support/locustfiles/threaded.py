"""Users that hand blocking work to threads in every way, all their lives, and log from everywhere.

What came back is written to ``seen-PID.json``: by what was done, how often it went as it should.
"""

import asyncio
import functools
import json
import logging
import os
import threading
import time
from collections import Counter
from pathlib import Path

from locust import constant, events, task

from wsload import WebSocketUser

SEEN = Counter()
logger = logging.getLogger(__name__)


def compute(number, plus=0):
    logger.info("computing in a thread")
    return number + plus


def fail():
    raise ValueError("in a thread")


class Threaded(WebSocketUser):
    wait_time = constant(0.01)
    seconds_asleep = 0.3

    async def on_start(self):
        assert await asyncio.to_thread(compute, 1) == 1
        SEEN["on_start"] += 1

    async def on_stop(self):
        assert await asyncio.to_thread(compute, 2) == 2
        SEEN["on_stop"] += 1

    @task
    async def in_default_executor(self):
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, functools.partial(compute, 3, plus=4)) == 7
        logger.info("back in the task")
        SEEN["executor"] += 1

    @task
    async def many_at_once(self):
        assert await asyncio.gather(*(asyncio.to_thread(compute, n) for n in range(50))) == list(range(50))
        SEEN["many"] += 1

    @task
    async def asleep(self):
        began = time.monotonic()
        await asyncio.to_thread(time.sleep, self.seconds_asleep)
        assert time.monotonic() - began >= self.seconds_asleep
        SEEN["asleep"] += 1

    @task
    async def failing(self):
        try:
            await asyncio.to_thread(fail)
        except ValueError as error:
            SEEN[f"failing {error}"] += 1

    @task
    async def given_up(self):
        try:
            async with asyncio.timeout(0.02):
                await asyncio.to_thread(time.sleep, 0.1)
        except TimeoutError:
            SEEN["given up"] += 1

    @task
    async def as_before(self):
        assert await self.round_trip("hello") == "hello"
        SEEN["round trip"] += 1


class Stuck(WebSocketUser):
    """One whose thread is still at work when the run is over."""

    fixed_count = 1
    wait_time = constant(0.01)

    @task
    async def wait_for_ever(self):
        await asyncio.to_thread(time.sleep, 1000)


@events.test_start.add_listener
def log_on_the_hub(environment, **_):
    def log():
        while environment.runner.state != "stopped":
            logger.info("on the hub")
            time.sleep(0.001)

    threading.Thread(target=log, daemon=True).start()


@events.quit.add_listener
def write(**_):
    Path(f"seen-{os.getpid()}.json").write_text(json.dumps(SEEN))
