"""What Locust documents works: run_single_user, other users beside, statistics that are reset, a library."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from support.locust_run import FILES, LOCUSTFILES, Finished, own_ports, processes
from support.serving import Serving, echo
from support.waiting import until

from wsload.measure.names import Kind
from wsload.results.reader import find_runs, open_run


def script(
    tmp_path: Path, serving: Serving, body: str, task: str = "", arguments: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """A script that has a user class ``Client`` and does the body."""
    port = serving.websocket(echo)
    text = f"""
from locust import constant, run_single_user
from locust.env import Environment
from locust.exception import StopTest, StopUser
from wsload import WebSocketUser, task
import asyncio, gevent, sys

class Client(WebSocketUser):
    host = "ws://127.0.0.1:{port}"
    wait_time = constant(0.05)
    asked = 0
    @task
    async def ask(self):
        await self.round_trip("hello")
        self.asked += 1
{textwrap.indent(task, "        ")}
if __name__ == "__main__":
{textwrap.indent(body, "    ")}
"""
    (tmp_path / "script.py").write_text(text)
    return subprocess.Popen(
        [sys.executable, "script.py", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(child: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0, err
    assert "Traceback" not in err, err
    return out, err


@pytest.mark.parametrize("leaving", ["raise StopUser", "raise StopTest", "sys.exit()"])
def test_run_single_user_leaves_a_run_that_has_ended(tmp_path: Path, serving: Serving, leaving: str) -> None:
    child = script(tmp_path, serving, "run_single_user(Client)", f"if self.asked == 5:\n    {leaving}\n")
    out, _ = ended(child)
    (directory,) = find_runs(tmp_path / "results")
    assert {path.name for path in directory.iterdir()} >= set(FILES)
    assert open_run(directory).info.ended_at is not None
    assert json.loads((directory / "summary.json").read_bytes())["metrics"]["message"]["count"] == 5
    assert "Results: results/" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda it: it.name)
def test_run_single_user_ends_with_a_signal(tmp_path: Path, serving: Serving, number: signal.Signals) -> None:
    child = script(tmp_path, serving, "run_single_user(Client)")
    counts = until(lambda: list(tmp_path.glob("results/*/counters.jsonl")), what="a run")[0]
    until(lambda: counts.read_bytes().count(b"\n") >= 1, what="an interval")
    child.send_signal(number)
    out, _ = child.communicate(timeout=30)
    assert "Results: results/" in out
    assert open_run(counts.parent).info.ended_at is not None


def test_each_single_user_ends_with_a_signal_of_its_own(tmp_path: Path, serving: Serving) -> None:
    body = """
for _ in range(3):
    try:
        run_single_user(Client)
    except KeyboardInterrupt:
        pass
"""
    child = script(tmp_path, serving, body)

    def intervals() -> list[int]:
        return [path.read_bytes().count(b"\n") for path in sorted(tmp_path.glob("results/*/counters.jsonl"))]

    for number in (1, 2, 3):
        until(lambda number=number: len(intervals()) == number and intervals()[-1], what=f"run {number}")
        child.send_signal(signal.SIGINT)
    out, err = ended(child)
    assert out.count("Results: results/") == 3
    assert "Interrupted again" not in err


def test_one_after_the_other_each_has_its_run(tmp_path: Path, serving: Serving) -> None:
    body = "run_single_user(Client)\nrun_single_user(Client)\n"
    ended(script(tmp_path, serving, body, "if self.asked == 5:\n    raise StopUser\n"))
    assert len(find_runs(tmp_path / "results")) == 2
    assert all(open_run(path).info.ended_at is not None for path in find_runs(tmp_path / "results"))


def test_a_library_that_can_not_write_results_is_told_so_in_one_line(
    tmp_path: Path, serving: Serving
) -> None:
    (tmp_path / "results").write_text("not a directory")
    body = (
        "environment = Environment(user_classes=[Client])\n"
        "runner = environment.create_local_runner()\n"
        "runner.start(1, spawn_rate=1)\n"
        "gevent.spawn_later(3, runner.quit)\n"
        "runner.greenlet.join()\n"
        "print(environment.stats.total.num_requests)\n"
    )
    out, err = ended(script(tmp_path, serving, body))
    (line,) = err.strip().splitlines()
    assert line.startswith("The run was not started: results directory 'results'")
    assert out.strip() == "0"


@pytest.mark.parametrize("options", ["ws_build='x'", "processes=None", ""])
def test_a_library_that_gives_some_options_only_is_refused_like_others(
    tmp_path: Path, serving: Serving, options: str
) -> None:
    """However often it starts: nothing is sent that nobody records."""
    (tmp_path / "results").write_text("not a directory")
    body = f"""
from argparse import Namespace
environment = Environment(user_classes=[Client], parsed_options=Namespace({options}))
runner = environment.create_local_runner()
for _ in range(2):
    runner.start(1, spawn_rate=1)
    gevent.sleep(2)
runner.quit()
environment.events.quitting.fire(environment=environment, reverse=True)
environment.events.quit.fire(exit_code=0)
print(environment.stats.total.num_requests)
"""
    out, err = ended(script(tmp_path, serving, body))
    assert out.strip() == "0"
    assert [line.partition(": ")[0] for line in err.strip().splitlines()] == ["The run was not started"] * 2


def test_each_environment_of_a_library_is_told_of_its_own_events_only(
    tmp_path: Path, serving: Serving
) -> None:
    """The second one's ramp, reset statistics and end are nothing to the first one's window."""
    body = """
def started(build):
    options = Namespace(ws_build=build)
    environment = Environment(user_classes=[type("Client", (Client,), {})], reset_stats=True, parsed_options=options)
    runner = environment.create_local_runner()
    ramped = gevent.event.Event()
    environment.events.spawning_complete.add_listener(lambda **_: ramped.set())
    runner.start(1, spawn_rate=1)
    ramped.wait(20)
    return environment

first = started("first")
gevent.sleep(3)
second = started("second")
second.events.reset_stats.fire()
second.runner.quit()
second.events.quit.fire(exit_code=0)
gevent.sleep(1)
first.runner.quit()
"""
    imports = "from argparse import Namespace\nimport gevent.event\n"
    ended(script(tmp_path, serving, imports + body))
    runs = {open_run(path).info.build: open_run(path).info for path in find_runs(tmp_path / "results")}
    assert all(0 < run.window.from_s < 2 for run in runs.values()) and len(runs) == 2
    assert runs["first"].ended_at > runs["second"].ended_at


@pytest.mark.parametrize("shared", [False, True], ids=["own events", "global events"])
def test_a_library_with_workers_is_told_in_one_line_what_is_supported(
    tmp_path: Path, serving: Serving, shared: bool
) -> None:
    port = own_ports()[-1]
    body = (
        "import gevent.event, locust\n"
        f"environment = Environment(user_classes=[Client], **({{'events': locust.events}} if {shared} else {{}}))\n"
        "if sys.argv[1] == 'worker':\n"
        f"    environment.create_worker_runner('127.0.0.1', {port}).greenlet.join(20)\n"
        "else:\n"
        f"    runner = environment.create_master_runner('127.0.0.1', {port})\n"
        "    while not runner.clients.ready:\n"
        "        gevent.sleep(0.1)\n"
        "    runner.start(1, spawn_rate=1)\n"
        "    gevent.event.Event().wait()\n"
    )
    worker, master = (script(tmp_path, serving, body, arguments=(role,)) for role in ("worker", "master"))
    try:
        said = ended(worker)[1].strip().splitlines()
    finally:
        master.kill()
        told = master.communicate()[1]
    assert ["local_runner" in line and "use the locust command" in line for line in said] == [True]
    assert told.count("use the locust command") == shared


STUBBORN = """
while True:
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        pass
"""


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("task", [STUBBORN, "__import__('time').sleep(1000)"], ids=["stubborn", "blocked"])
def test_a_library_that_dropped_a_user_ends_with_its_own_exit_code(
    tmp_path: Path, serving: Serving, task: str, code: int
) -> None:
    body = (
        "environment = Environment(user_classes=[Client])\n"
        "runner = environment.create_local_runner()\n"
        "runner.start(1, spawn_rate=1)\n"
        "gevent.spawn_later(3, runner.quit)\n"
        "runner.greenlet.join()\n"
        f"sys.exit({code})\n"
    )
    child = script(tmp_path, serving, body, task)
    _, err = child.communicate(timeout=60)
    assert "did not stop in time" in err
    assert child.returncode == code, err


def test_the_first_error_of_each_run_is_logged(tmp_path: Path, serving: Serving) -> None:
    body = (
        "environment = Environment(user_classes=[Client])\n"
        "runner = environment.create_local_runner()\n"
        "for _ in range(2):\n"
        "    failed = gevent.event.Event()\n"
        "    environment.events.user_error.add_listener(lambda **_: failed.set())\n"
        "    runner.start(1, spawn_rate=1)\n"
        "    failed.wait(20)\n"
        "    runner.stop()\n"
    )
    child = script(tmp_path, serving, "import gevent.event\n" + body, "raise ValueError('a bug')")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    assert err.count("ValueError: a bug") == err.count("counted, but not shown") == 2


def test_a_library_that_starts_again_while_users_still_stop_has_two_runs(
    tmp_path: Path, serving: Serving
) -> None:
    body = (
        "environment = Environment(user_classes=[Client], stop_timeout=20)\n"
        "runner = environment.create_local_runner()\n"
        "runner.start(1, spawn_rate=1)\n"
        "gevent.sleep(2)\n"
        "stopping = gevent.spawn(runner.stop)\n"
        "gevent.sleep(0.1)\n"
        "runner.start(1, spawn_rate=1)\n"
        "stopping.join()\n"
        "gevent.sleep(2)\n"
        "runner.quit()\n"
    )
    ended(script(tmp_path, serving, body, "await asyncio.sleep(1.5)\n"))
    runs = [open_run(path) for path in find_runs(tmp_path / "results")]
    assert len(runs) == 2
    for run in runs:
        assert run.info.ended_at is not None
        assert run.totals().counters["requests"] > 0


def test_each_run_of_a_library_has_names_of_its_own_which_may_be_of_another_kind(
    tmp_path: Path, serving: Serving
) -> None:
    body = (
        "environment = Environment(user_classes=[Client])\n"
        "runner = environment.create_local_runner()\n"
        "for Client.first in (True, False):\n"
        "    runner.start(1, spawn_rate=1)\n"
        "    gevent.sleep(2)\n"
        "    runner.stop()\n"
        "runner.quit()\n"
    )
    task = (
        "if self.first:\n"
        "    self.record('greet', 0.001)\n"
        "    self.record('only in the first', 0.001)\n"
        "else:\n"
        "    await self.round_trip('hello', name='greet')\n"
    )
    ended(script(tmp_path, serving, body, task))
    found = [open_run(path).totals().names for path in find_runs(tmp_path / "results")]
    assert found == [
        {"message": Kind.REQUEST, "greet": Kind.VALUE, "only in the first": Kind.VALUE},
        {"message": Kind.REQUEST, "greet": Kind.REQUEST},
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_users_of_other_kinds_take_no_part_of_the_rate_and_name_no_target(
    run_locust: Callable[..., Finished], serving: Serving, number: int
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust(
        *("-f", LOCUSTFILES / "beside_http.py", "--headless", "-u", "8", "-r", "8", "-t", "5s"),
        *("--ws-url", f"{host}/", "--ws-rate", "100", *processes(number)),
    )
    assert finished.run["target"] == f"{host}/"
    whole = finished.counts[2:5]  # neither the ramp nor the seconds in which the workers end
    sent = sum(line["counters"].get("sent", 0) for line in whole)
    # Were the rate divided by all users, it would be a quarter of this: a busy machine is not that slow.
    assert sent == pytest.approx(100 * sum(line["length_s"] for line in whole), rel=0.3)


@pytest.mark.parametrize(
    ("options", "begins_s"),
    [(("--reset-stats",), 2), (("--ws-warm-up", "ramp"), 3), (("--ws-warm-up", "1s"), 1), ((), 0)],
)
def test_the_figures_are_those_of_the_window_and_the_log_keeps_everything(
    run_locust: Callable[..., Finished], serving: Serving, options: tuple[str, ...], begins_s: float
) -> None:
    """Three users arrive in three seconds."""
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust(
        *("-f", LOCUSTFILES / "owing.py", "--headless", "--host", host, "-u", "3", "-r", "1", "-t", "6s"),
        *options,
    )
    window = finished.run["window"]
    assert window["from_s"] == pytest.approx(begins_s, abs=0.7 if begins_s > 1 else 0.001)
    began = datetime.fromisoformat(finished.run["started_at"]).timestamp() + window["from_s"]
    inside = [line for line in finished.counts if line["t"] >= began - 0.02]
    assert (len(inside) < len(finished.counts)) == bool(begins_s)
    assert finished.counter("requests") == sum(line["counters"].get("requests", 0) for line in inside)
    assert finished.summary["duration_s"] == pytest.approx(sum(line["length_s"] for line in inside), abs=0.1)
    assert open_run(finished.directory).totals().counters["requests"] == finished.counter("requests")
    (name,) = finished.summary["names"]
    assert finished.count(name) > 0


@pytest.mark.parametrize("processes_", [1, 2])
def test_figures_of_each_process_are_those_of_the_window(
    run_locust: Callable[..., Finished], serving: Serving, processes_: int
) -> None:
    """A master has some seconds of its workers before it writes the first of the window."""
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    load = ("-f", LOCUSTFILES / "owing.py", "--headless", "--host", host, "-u", "4", "-r", "4", "-t", "6s")
    finished = run_locust(*load, "--ws-warm-up", "2s", *processes(processes_))
    found = finished.summary["processes"]
    assert len(found) == processes_
    assert sum(each["message"]["count"] for each in found) == finished.count("message") > 0
    began = datetime.fromisoformat(finished.run["started_at"]).timestamp() + 2
    whole = [line for line in finished.counts if line["t"] >= began - 0.02 and line["length_s"] >= 0.5]
    assert {each["seconds"] for each in found} <= {len(whole) - 1, len(whole)}


def test_a_run_that_ends_in_its_warm_up_says_so(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    load = ("-f", LOCUSTFILES / "owing.py", "--headless", "--host", host, "-u", "1", "-t", "2s")
    finished = run_locust(*load, "--ws-warm-up", "1m")
    assert finished.run["window"] == {"from_s": 0, "to_s": None}
    assert "warm-up" in [warning["name"] for warning in finished.run["warnings"]]
    assert finished.counter("requests") > 0


def test_the_workload_is_on_record(run_locust: Callable[..., Finished], serving: Serving) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    load = ("-f", LOCUSTFILES / "owing.py", "--headless", "--host", host, "-u", "1", "-t", "2s")
    found = run_locust(*load, "--ws-rate", "poisson:5").run["workload"]
    assert (found["kind"], found["rate"], found["ping_s"]) == ("open", "poisson:5", 20)
    assert found["locustfile"] == {
        "owing.py": hashlib.sha256((LOCUSTFILES / "owing.py").read_bytes()).hexdigest()
    }
    ((_, about),) = found["user_classes"].items()
    assert about["weight"] == 1 and about["wait_time"]
