"""What a user class finds wrong counts in wsload's own results; and nobody talks a failed check away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import Finished
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

HEAD = """
import asyncio, json, os
from locust import constant, events
from wsload import WebSocketUser, task

class Guest(WebSocketUser):
    wait_time = constant(0.1)
"""

USERS = 3

ASK = """
    @task
    async def ask(self):
        await self.round_trip("hello")
"""

Run = Callable[..., Finished]


@pytest.fixture
def run(run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path) -> Run:
    """Runs what continues `HEAD` with three users for 3 s against an echo."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    def run(text: str, *options: str) -> Finished:
        path = tmp_path / "locustfile.py"
        path.write_text(HEAD + text)
        host = f"ws://127.0.0.1:{serving.websocket(echo)}"
        return run_locust(
            "-f", path, "--headless", "-u", str(USERS), "-r", str(USERS), "-t", "3s", "--host", host, *options
        )

    return run


WRONG = {
    "assert": 'assert reply == "HELLO", "wrong answer"',
    "exception": 'raise ValueError("wrong answer")',
    "key error": "json.loads(reply)['id']",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_failure_in_a_task_is_a_failure_of_the_run(run: Run, wrong: str) -> None:
    finished = run(
        f"""
    @task
    async def ask(self):
        reply = await self.round_trip('{{}}' if {"json" in wrong!r} else "hello")
        {wrong}
""",
        "--ws-check",
        "failures < 1",
    )
    assert finished.returncode == 1
    answered = finished.count("message")
    assert answered > 30
    failed = {kind: number for kind, number in finished.failures.items() if kind.startswith("task ask: ")}
    # What was answered when its task had been ended already failed nowhere.
    assert answered - USERS <= sum(failed.values()) <= answered, finished.failures
    (check,) = finished.run["checks"]
    assert not check["passed"]
    assert check["got"].replace(",", "") == str(sum(finished.failures.values()))


def test_a_failure_inside_measure_is_one_of_that_step(run: Run) -> None:
    finished = run(
        """
    @task
    async def check_out(self):
        with self.measure("check out"):
            await self.round_trip("hello", name="ask")
            assert False, "sold out"
""",
        *("--ws-check", "failures < 1"),
    )
    assert finished.returncode == 1
    assert finished.count("check out") == 0, "it never succeeded"
    steps = sum(number for kind, number in finished.failures.items() if kind.startswith("check out: "))
    assert finished.count("ask") - USERS <= steps <= finished.count("ask")
    assert steps > 30


RECIPES = {
    "locust's recipe": """
@events.quitting.add_listener
def judge(environment, **_):
    environment.process_exit_code = 1 if environment.stats.total.fail_ratio > 0.01 else 0
""",
    "added in init": """
@events.init.add_listener
def prepare(environment, **_):
    @environment.events.quitting.add_listener
    def judge(environment, **_):
        environment.process_exit_code = 0
""",
    "at the end of the test": """
@events.test_stop.add_listener
def judge(environment, **_):
    environment.process_exit_code = 0
""",
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_failed_check_is_not_talked_away(run: Run, recipe: str) -> None:
    finished = run(ASK + recipe, "--ws-check", "message.p50 < 1us")
    assert finished.returncode == 1
    assert not finished.run["checks"][0]["passed"]


def test_an_exit_code_of_ones_own_is_kept_where_nothing_failed(run: Run) -> None:
    finished = run(
        ASK
        + """
@events.quitting.add_listener
def judge(environment, **_):
    environment.process_exit_code = 7
"""
    )
    assert finished.failures == {}
    assert finished.returncode == 7
