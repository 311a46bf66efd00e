"""A load generator that is held up accuses itself: in run.json, on the terminal, by its exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.locust_run import Finished
from support.undisturbed import undisturbed

pytestmark = pytest.mark.xdist_group("timing")

# The server's delay of a second makes lateness below 100 ms tolerable, as a busy machine may cause it.
LOCUSTFILE = """
import itertools, os, time
from locust import task
from wsload import ChatUser, constant_rate, embedded_server

embedded_server("--fault", "delay=1s")

def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

HOLD_UP = {"burns": burn, "blocks": time.sleep, "behaves": lambda seconds: None}[os.environ["HABIT"]]

class Guest(ChatUser):
    wait_time = constant_rate(20)
    numbers = itertools.count(1)

    @task
    async def post(self):
        await self.say("hello")
        if next(self.numbers) % 20 == 0:
            HOLD_UP(0.4)
"""
"""One in twenty posts holds the loop for as long as eight are due in."""


@pytest.fixture
def run(run_locust: Callable[..., Finished], tmp_path: Path) -> Iterator[Callable[..., Finished]]:
    """Runs one user with this habit."""
    path = tmp_path / "guest.py"
    path.write_text(LOCUSTFILE)
    load = ("-f", path, "--headless", "--only-summary", "-u", "1", "-r", "1", "-t", "4s")
    # Other tests' runs are allowed to be invalid by this variable.
    env = {"LOCUST_WS_ALLOW_INVALID": "false"}
    with undisturbed():
        yield lambda habit, *options: run_locust(*load, *options, env={**env, "HABIT": habit})


def test_a_run_without_holding_up_is_valid(run: Callable[..., Finished]) -> None:
    finished = run("behaves")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.run["valid"] is True
    assert not any(warning["invalidates"] for warning in finished.run["warnings"])
    assert "Valid: " in finished.stdout
    assert "NOT VALID" not in finished.stdout
    assert finished.count("message") > 30


@pytest.mark.parametrize("habit", ["burns", "blocks"])
def test_a_user_that_holds_up_the_loop_makes_the_run_not_valid(
    run: Callable[..., Finished], habit: str
) -> None:
    finished = run(habit)
    assert finished.returncode == 3, finished.stderr
    assert finished.run["valid"] is False
    # Where the end comes in the midst of a hold-up, there is a shortfall as well.
    (warning,) = [each for each in finished.run["warnings"] if each["name"] == "send-lag"]
    assert warning["invalidates"]
    assert "sends were late: p99" in warning["text"]
    assert "NOT VALID: don't trust these figures" in finished.stdout
    assert "sends were late" in finished.stdout
    assert "Remedy: use --processes 2, take blocking calls out" in finished.stdout
    lag, loop = (finished.summary["metrics"][metric] for metric in ("send_lag", "loop_lag"))
    assert lag["max_ns"] > 300e6, "a post that was due in the hold-up was late by most of it"
    assert loop["max_ns"] > 300e6


def test_an_allowed_invalid_run_exits_as_if_it_were_valid_and_stays_marked(
    run: Callable[..., Finished],
) -> None:
    finished = run("blocks", "--ws-allow-invalid")
    assert finished.returncode == 0, finished.stderr
    assert finished.run["valid"] is False
    assert "NOT VALID" in finished.stdout
