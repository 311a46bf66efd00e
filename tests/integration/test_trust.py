"""The verdict of real runs: in run.json, on the terminal, and by the exit code."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.locust_run import Finished
from support.serving import Serving, echo
from support.undisturbed import undisturbed

pytestmark = pytest.mark.xdist_group("timing")

STRICT = {"LOCUST_WS_ALLOW_INVALID": "false"}
"""Other tests' runs are allowed figures that can't be trusted, by this variable."""
IMPORTS = """
import itertools, os, random, time
from locust import task
from wsload import ChatUser, constant_rate, embedded_server

def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

numbers = itertools.count(1)
"""
HOLDING_UP = (
    IMPORTS
    + """
embedded_server("--fault", "delay=5ms")
HOLD_UP = {"burns": burn, "blocks": time.sleep, "behaves": lambda seconds: None}[os.environ["HABIT"]]

class Guest(ChatUser):
    if os.environ["WORKLOAD"] == "open":
        wait_time = constant_rate(20)
    else:
        def wait_time(self):
            return random.uniform(0.005, float(os.environ["MAX_WAIT"]))

    @task
    async def post(self):
        await self.say("hello")
        if next(numbers) % int(os.environ["EVERY"]) == 0:
            HOLD_UP(float(os.environ["SECONDS"]))
"""
)


@pytest.fixture
def run(run_locust: Callable[..., Finished], tmp_path: Path) -> Iterator[Callable[..., Finished]]:
    """Runs a locustfile of this text, undisturbed."""
    path = tmp_path / "guest.py"

    def run_it(text: str, *options: str, users: int = 4, seconds: int = 4, **env: str) -> Finished:
        path.write_text(text)
        load = ("-f", path, "--headless", "--only-summary", "-u", str(users), "-r", str(users))
        return run_locust(*load, "-t", f"{seconds}s", *options, env={**STRICT, **env})

    with undisturbed():
        yield run_it


def trust(finished: Finished) -> dict[str, Any]:
    return finished.run["trust"]


def holding_up(
    run: Callable[..., Finished], habit: str, workload: str, *options: str, **env: str
) -> Finished:
    about = {"EVERY": "1", "SECONDS": "0.01" if workload == "open" else "0.05", "MAX_WAIT": "0.015", **env}
    users = 4
    if workload == "closed" and habit != "behaves" and about["EVERY"] == "1":
        # Users that wait for less than a block lasts get in step: they all send and read at once, before the first
        # of them blocks, and their figures are right.
        users, about["MAX_WAIT"] = 8, "0.2"
    return run(HOLDING_UP, *options, users=users, HABIT=habit, WORKLOAD=workload, **about)


@pytest.mark.parametrize("workload", ["open", "closed"])
def test_a_load_generator_that_is_in_time_is_trusted(run: Callable[..., Finished], workload: str) -> None:
    """On a machine that others use nothing may be in time: then that is what every attempt says."""
    for _ in range(4):
        finished = holding_up(run, "behaves", workload)
        found = trust(finished)
        if found["standing"] == "trusted" and found["up_to"].get("message", 100) >= 99.9:
            assert finished.returncode == 0, finished.stdout + finished.stderr
            assert finished.stdout.lstrip().startswith("Trusted up to ")
            assert "not trusted" not in finished.stdout.split("open ")[0]
            return
        assert "blocked the event loop" not in found["verdict"], found["verdict"]
        assert "lateness shows" in found["verdict"], found["verdict"]
        shutil.rmtree(finished.directory)


@pytest.mark.parametrize("habit", ["burns", "blocks"])
@pytest.mark.parametrize("workload", ["open", "closed"])
def test_a_task_that_blocks_the_loop_is_not_trusted_and_named(
    run: Callable[..., Finished], workload: str, habit: str
) -> None:
    """Users who block each other after every post: most answers are read late."""
    finished = holding_up(run, habit, workload)
    assert finished.returncode == 3, finished.stdout
    assert trust(finished)["standing"] == "not trusted"
    assert "Guest.post (guest.py:" in trust(finished)["verdict"]
    assert "asyncio.to_thread" in trust(finished)["remedy"]
    assert "Not trusted: " in finished.stdout and "Remedy: " in finished.stdout
    assert "--processes" not in trust(finished)["remedy"]
    assert finished.summary["metrics"]["loop_lag"]["max_ns"] > 9e6


def test_few_blocks_leave_the_lower_percentiles_and_their_checks(run: Callable[..., Finished]) -> None:
    checks = ("--ws-check", "message.p50 < 1s", "--ws-check", "message.max < 10s")
    finished = holding_up(run, "blocks", "closed", *checks, EVERY="100", SECONDS="0.3")
    assert finished.returncode == 3, finished.stdout
    assert trust(finished)["standing"] in ("partly trusted", "trusted")
    level = trust(finished)["up_to"]["message"]
    assert 50 <= level < 100
    assert [check["passed"] for check in finished.run["checks"]] == [True, None]
    assert "not trusted: it includes the load generator's own lateness" in finished.run["checks"][1]["reason"]
    assert "In parentheses: not trusted" in finished.stdout


def test_what_is_allowed_is_judged_and_stays_marked(run: Callable[..., Finished]) -> None:
    options = ("--ws-allow-invalid", "--ws-check", "message.p50 < 10s")
    finished = holding_up(run, "blocks", "closed", *options)
    assert finished.returncode == 0, finished.stdout
    assert finished.run["checks"][0]["passed"] is True
    assert trust(finished)["standing"] == "not trusted"


def test_the_tolerance_is_an_option(run: Callable[..., Finished]) -> None:
    finished = holding_up(run, "blocks", "closed", "--ws-tolerance", "5s")
    assert finished.returncode == 0, finished.stdout
    assert trust(finished)["tolerance_ns"] == 5e9
    assert trust(finished)["standing"] == "trusted"
    refused = run(
        HOLDING_UP, "--ws-tolerance", "soon", HABIT="behaves", WORKLOAD="closed", EVERY="1", SECONDS="0"
    )
    assert refused.returncode == 2
    assert "argument --ws-tolerance: 'soon'" in refused.stderr


# Nothing measured

CHATTING = (
    IMPORTS
    + """
class Guest(ChatUser):
    def wait_time(self):
        return 0.1

    @task
    async def post(self):
        await self.say("hello")
"""
)
RAISING = CHATTING.replace(
    "class Guest(ChatUser):",
    "class Guest(ChatUser):\n    def __init__(self, environment):\n        raise OSError\n",
)


@pytest.mark.parametrize(
    ("text", "options", "standing", "said"),
    [
        (CHATTING, ("--host", "ws://127.0.0.1:9"), "failed at start", "nobody could connect"),
        (CHATTING, ("--host", "ws://127.0.0.1:9", "-u", "0"), "nothing measured", "no user arrived"),
        (RAISING, ("--host", "ws://127.0.0.1:9"), "nothing measured", "no user arrived"),
        (
            'embedded_server("--fault", "drop=100%")\n',
            ("--ws-message-timeout", "200ms", "--ws-drain", "0s"),
            "nothing measured",
            "not one request was answered",
        ),
    ],
    ids=["nobody could connect", "no users", "raises in __init__", "nothing answered"],
)
def test_nothing_measured_is_a_verdict_of_its_own_with_an_exit_code_of_its_own(
    run: Callable[..., Finished], text: str, options: tuple[str, ...], standing: str, said: str
) -> None:
    whole = text if "class" in text else CHATTING.replace("numbers =", f"{text}numbers =")
    finished = run(whole, *options, "--exit-code-on-error", "0", seconds=2)
    assert finished.returncode == 5, finished.stdout + finished.stderr
    assert trust(finished)["standing"] == standing
    assert said in trust(finished)["verdict"] and said in " ".join(finished.stdout.split())
    report = (finished.directory / "report.html").read_text()
    assert 'class="banner bad"' in report and said in report


async def as_plain_http(connection: object, request: object) -> object:
    return connection.respond(200, "Hello.")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "text", "kind"),
    [
        ({"process_request": as_plain_http}, CHATTING, "bad status 200"),
        (
            {"subprotocols": ["json"], "select_subprotocol": lambda connection, offered: "json"},
            CHATTING.replace("    @task", "    subprotocols = ('xml',)\n\n    @task"),
            "subprotocol",
        ),
    ],
    ids=["a web server", "another subprotocol"],
)
def test_servers_that_speak_something_else_are_no_good_runs(
    run: Callable[..., Finished], serving: Serving, settings: dict[str, Any], text: str, kind: str
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo, **settings)}"
    finished = run(text, "--host", host, "--exit-code-on-error", "0", seconds=2)
    assert finished.returncode == 5, finished.stdout + finished.stderr
    assert trust(finished)["standing"] == "failed at start"
    assert kind in trust(finished)["verdict"]


def test_a_forgotten_await_leaves_nothing_measured_and_is_named(
    run: Callable[..., Finished],
) -> None:
    text = CHATTING.replace('await self.say("hello")', "self.talk()").replace(
        "class Guest(ChatUser):",
        "class Guest(ChatUser):\n    async def talk(self):\n        await self.say('hello')\n",
    )
    text = text.replace("numbers =", "embedded_server()\nnumbers =")
    finished = run(text, users=25, seconds=3)
    assert finished.returncode == 5, finished.stdout + finished.stderr
    assert trust(finished)["verdict"].startswith("Nothing was measured: ")
    assert "forgotten await: Guest.talk" in " ".join(finished.stdout.split())
