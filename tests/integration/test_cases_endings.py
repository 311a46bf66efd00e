"""A user may stop for good from any hook, and no loop in a task can keep the others, or the end, waiting."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import Finished
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

from wsload.results.reader import find_runs, open_run

TAIL_S = 12.0
"""How long the end of a run may take on a busy machine, starting and stopping Locust included."""

HEAD = """
from locust import constant
from locust.exception import StopUser
from wsload import WebSocketUser, WorkloadError, task

class Guest(WebSocketUser):
    wait_time = constant(0.1)

    @task
    async def ask(self):
        await self.round_trip("hello")
"""


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.fixture
def run(run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path) -> Callable[..., Finished]:
    """Runs what continues `HEAD` against an echo, or against the given handler."""

    def run(text: str, *options: str, handler: Callable[..., object] = echo) -> Finished:
        path = tmp_path / "locustfile.py"
        path.write_text(HEAD + text)
        host = f"ws://127.0.0.1:{serving.websocket(handler)}"
        began = time.monotonic()
        finished = run_locust("-f", path, "--headless", "-u", "3", "-r", "3", "--host", host, *options)
        finished.__dict__["took_s"] = time.monotonic() - began
        return finished

    return run


def took_s(finished: Finished) -> float:
    return finished.__dict__["took_s"]


STOPS = {
    "a task": "    @task\n    async def leave(self):\n        raise StopUser\n",
    "on_start": "    async def on_start(self):\n        raise StopUser\n",
    "on_connect": "    async def on_connect(self):\n        raise StopUser\n",
    "on_message": "    def on_message(self, message):\n        raise StopUser\n",
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_a_user_may_stop_for_good_anywhere(run: Callable[..., Finished], stop: str) -> None:
    async def greet(connection: ServerConnection) -> None:
        await connection.send("welcome")
        await echo(connection)

    finished = run(stop, "-t", "3s", handler=greet)
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.counter("opens") == 3
    assert finished.counter("reconnects") == 0
    assert finished.counts[-1]["gauges"].get("users", 0) == 0


def test_stop_user_in_on_close_ends_the_reconnections(run: Callable[..., Finished]) -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.close(4401, "bad token")

    finished = run(
        """
    def on_close(self, code, reason):
        if code == 4401:
            raise StopUser
""",
        "-t",
        "4s",
        handler=refuse,
    )
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.counter("opens") == 3
    assert finished.counter("reconnects") == 0


LOOPS = {
    "round_trip": 'await self.round_trip("hello")',
    "receive": "await self.receive()",
    "send": 'await self.send("hello")',
    "send, then receive": 'await self.send("hello"); await self.receive()',
    "messages": "\n                async for _ in self.messages():\n                    pass",
}


@pytest.mark.parametrize("call", LOOPS.values(), ids=LOOPS)
def test_a_loop_that_lets_failures_pass_starves_nobody(run: Callable[..., Finished], call: str) -> None:
    async def drop_after_a_second(connection: ServerConnection) -> None:
        asyncio.get_running_loop().call_later(1, connection.transport.abort)
        await echo(connection)

    finished = run(
        f"""
    @task(1000)
    async def talk(self):
        while True:
            try:
                {call}
            except WorkloadError:
                pass
""",
        "-t",
        "4s",
        handler=drop_after_a_second,
    )
    assert took_s(finished) < 4 + TAIL_S, finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    if call != LOOPS["send"]:  # a flood keeps the server too busy
        assert finished.counter("reconnects") >= 1, "users came back while their tasks went on"


def program(body: str) -> str:
    return HEAD + '\nif __name__ == "__main__":\n' + textwrap.indent(textwrap.dedent(body), "    ")


def run_program(text: str, serving: Serving, tmp_path: Path, *words: str) -> str:
    """Runs a Python program with a server's URL as its first argument; returns what it printed."""
    path = tmp_path / "program.py"
    path.write_text(text)
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    done = subprocess.run(
        [sys.executable, path, host, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("events", ["own", "global"])
def test_locust_as_a_library_leaves_results(serving: Serving, tmp_path: Path, events: str) -> None:
    text = program("""
        import sys
        import gevent, locust
        from locust.env import Environment

        hosted = {"events": locust.events} if "global" in sys.argv else {}
        environment = Environment(user_classes=[Guest], host=sys.argv[1], **hosted)
        runner = environment.create_local_runner()
        runner.start(3, spawn_rate=3)
        gevent.spawn_later(3, runner.quit)
        runner.greenlet.join()
        print("requests", environment.stats.total.num_requests)
    """)
    said = run_program(text, serving, tmp_path, events)
    (stored,) = [open_run(run) for run in find_runs(tmp_path / "results")]
    totals = stored.totals()
    assert stored.problems == ()
    assert totals.counters["opens"] == 3
    answered = totals.histograms["message"].total
    assert answered > 30
    assert int(said.split()[1]) >= answered, "Locust's own statistics have them too"


def test_run_single_user(serving: Serving, tmp_path: Path) -> None:
    text = program("""
        import sys
        from locust import run_single_user

        class Alone(Guest):
            host = sys.argv.pop(1)
            asked = 0

            @task
            async def leave(self):
                Alone.asked += 1
                if Alone.asked == 5:
                    raise StopUser

        run_single_user(Alone)
        print("asked", Alone.asked)
    """)
    assert "asked 5" in run_program(text, serving, tmp_path)
