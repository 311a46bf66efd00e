"""Master and workers, each ending that Locust has: nothing counted is missing, nobody hangs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.certificates import Certificates
from support.locust_run import CHAT, ECHO, LOCUSTFILES, Finished, LocustRun, processes
from support.serving import Serving, echo
from support.waiting import until
from websockets.asyncio.server import ServerConnection

from wsload.exit_codes import ExitCode
from wsload.server.process import ServerProcess

USERS = 20
pytestmark = pytest.mark.xdist_group("distributed")


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--quiet-roster") as process:
        yield process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Swarm:
    """A master with two workers, forked by Locust or started by hand."""

    def __init__(
        self,
        start: Callable[..., LocustRun],
        server: ServerProcess,
        *more: str,
        forked: bool,
        limit_s: float = 60,
    ) -> None:
        port = str(free_port())
        # A busy test machine makes sends late: here the counts are what matters.
        common = ["-f", CHAT, "--headless", "--only-summary", "-u", str(USERS), "-r", str(USERS),
                  "--host", server.url, "--ws-allow-invalid", "--master-bind-host", "127.0.0.1",
                  "--master-bind-port", port]  # fmt: skip
        kind = ["--processes", "2"] if forked else ["--master", "--expect-workers", "2"]
        # Locust's forked workers look for their master at --master-port.
        self.master = start(*common, *kind, "--master-port", port, *more, limit_s=limit_s)
        self.workers = (
            []
            if forked
            else [start("-f", CHAT, "--worker", "--master-port", port, limit_s=limit_s) for _ in range(2)]
        )

    def wait_for_intervals(self, enough: int) -> Path:
        return self.master.wait_for_intervals(enough)

    def finish(self) -> Finished:
        finished = self.master.finish()
        for worker in self.workers:
            worker.finish()
        return finished


def test_a_worker_keeps_the_addresses_of_its_own_host_and_takes_all_else_from_its_master(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    found: Counter[tuple[str, str]] = Counter()

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        found[connection.remote_address[0], connection.request.path] += 1
        await echo(connection)

    port, host = str(free_port()), f"ws://127.0.0.1:{serving.websocket(note)}"
    common = ("-f", ECHO, "--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    master = start_locust(
        *(*common, "--master", "--expect-workers", "3", "-u", "3", "-r", "3", "-t", "3s", "--host", host),
        *("--ws-url", "/masters", "--ws-source-ip", "127.0.0.4", "--ws-allow-invalid"),
    )
    workers = [
        start_locust("-f", ECHO, "--worker", "--master-port", port, "--ws-url", "/workers", *own)
        for own in (("--ws-source-ip", "127.0.0.2"), ("--ws-source-ip", "127.0.0.3"), ())
    ]
    for process in (master, *workers):
        assert process.finish().returncode == 0
    assert found == {(f"127.0.0.{number}", "/masters"): 1 for number in (2, 3, 4)}


def intervals_in(directory: Path) -> int:
    counts = directory / "counters.jsonl"
    return counts.read_bytes().count(b"\n") if counts.is_file() else 0


def counted(finished: Finished) -> tuple[int, int]:
    """Messages answered or lost, by the merged figures and by the processes' own."""
    own = [process["message"]["count"] for process in finished.summary["processes"] if "message" in process]
    return finished.count("message") + finished.counter("lost"), sum(own) + finished.counter("lost")


@pytest.mark.parametrize(
    ("forked", "ending"),
    [
        (True, "run time"),
        (False, "run time"),
        (True, "Ctrl-C"),
        (False, "Ctrl-C on the master"),
        (False, "TERM"),
        (False, "TERM to a worker"),
        (False, "TERM to all workers"),
    ],
)
def test_every_ending_keeps_every_message(
    start_locust: Callable[..., LocustRun], server: ServerProcess, forked: bool, ending: str
) -> None:
    run_time = ["-t", "4s"] if ending == "run time" else []
    swarm = Swarm(start_locust, server, *run_time, forked=forked)
    swarm.wait_for_intervals(2)
    if ending == "Ctrl-C":
        swarm.master.signal(signal.SIGINT)
    elif ending == "Ctrl-C on the master":
        os.kill(swarm.master.pid, signal.SIGINT)
    elif ending == "TERM":
        os.kill(swarm.master.pid, signal.SIGTERM)
    elif ending == "TERM to a worker":
        swarm.workers[0].signal(signal.SIGTERM)
        swarm.workers[0].finish()
        os.kill(swarm.master.pid, signal.SIGINT)
    elif ending == "TERM to all workers":
        for worker in swarm.workers:
            worker.signal(signal.SIGTERM)
    finished = swarm.finish()
    server.stop()
    assert server.account is not None
    merged, own = counted(finished)
    assert merged == own == server.account["posts"] > 0
    assert len(finished.summary["processes"]) == 2
    assert "worker-lost" not in [warning["name"] for warning in finished.run["warnings"]]
    assert "Traceback" not in finished.stderr, finished.stderr


def test_a_worker_killed_in_mid_run_is_named_and_its_part_is_kept(
    start_locust: Callable[..., LocustRun], server: ServerProcess
) -> None:
    swarm = Swarm(start_locust, server, "-t", "8s", forked=False)
    directory = swarm.wait_for_intervals(2)
    swarm.workers.pop(0).kill()
    finished = swarm.master.finish()
    for worker in swarm.workers:
        worker.finish()
    server.stop()
    assert server.account is not None
    lost = [warning["text"] for warning in finished.run["warnings"] if warning["name"] == "worker-lost"]
    assert len(lost) == 1
    assert "last sent figures at" in lost[0]
    assert finished.run["trust"]["standing"] == "not trusted"
    assert lost[0] in finished.run["trust"]["verdict"]
    merged, own = counted(finished)
    # What the dead one did after its last interval, about a second's posts of ten users, nobody knows.
    assert merged == own
    assert server.account["posts"] - 3 * USERS // 2 <= merged <= server.account["posts"]
    assert finished.directory == directory


HANGING = """

import os, time
from locust import events


@events.test_start.add_listener
def hang(**_):
    time.sleep(float(os.environ.get("TEST_HANGS_S", "0")))
"""


def test_a_worker_that_was_ordered_and_never_begins_is_named(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> None:
    """Half of the load is missing, and Locust lists the worker to the end: it is alive."""
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(ECHO.read_text() + HANGING)
    port, host = str(free_port()), f"ws://127.0.0.1:{serving.websocket(echo)}"
    master = start_locust(
        *("-f", locustfile, "--headless", "--master", "--expect-workers", "2", "-u", "4", "-r", "4"),
        *("-t", "6s", "--host", host, "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
        env={"LOCUST_WS_ALLOW_INVALID": "false"},
    )
    worker = ("-f", locustfile, "--worker", "--master-port", port)
    hanging, other = start_locust(*worker, env={"TEST_HANGS_S": "40"}), start_locust(*worker)
    finished = master.finish()
    hanging.kill()
    other.finish()
    (lost,) = [warning for warning in finished.run["warnings"] if warning["name"] == "worker-lost"]
    assert "had not begun by the end" in lost["text"] and lost["invalidates"]
    assert finished.run["trust"]["standing"] == "not trusted" and finished.returncode == 3
    assert finished.count("message") > 0 and len(finished.summary["processes"]) == 2


class WebSwarm:
    """A master with a web UI, and workers."""

    def __init__(self, start: Callable[..., LocustRun], *options: str | Path, workers: int = 2) -> None:
        port, web_port = str(free_port()), str(free_port())
        self.base = f"http://127.0.0.1:{web_port}"
        web = ["--web-host", "127.0.0.1", "--web-port", web_port]
        bind = ["--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        self.master = start("-f", CHAT, "--master", *web, *bind, "--ws-allow-invalid", *options)
        self._workers = [start("-f", CHAT, "--worker", "--master-port", port) for _ in range(workers)]
        self.master.wait_for(f"{workers} workers connected")
        until(self._answers)

    def post(self, path: str, **data: object) -> bool:
        answer = requests.post(f"{self.base}/{path}", data=data, timeout=30)
        return bool(answer.json()["success"])

    def now(self) -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"{self.base}/stats/requests", timeout=10).json()
        return answer

    def finish(self) -> Finished:
        os.kill(self.master.pid, signal.SIGTERM)
        finished = self.master.finish()
        for worker in self._workers:
            worker.finish()
        return finished

    def _answers(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.base, timeout=10).ok
        return False


def test_stop_and_start_again_in_the_web_ui_makes_two_runs(
    start_locust: Callable[..., LocustRun], server: ServerProcess, tmp_path: Path
) -> None:
    swarm = WebSwarm(start_locust, "--host", server.url)

    def run_directory(number: int) -> Path:
        results = tmp_path / "results"
        until(lambda: results.is_dir() and len(list(results.iterdir())) == number)
        return max(results.iterdir())

    for number in (1, 2):
        assert swarm.post("swarm", user_count=USERS, spawn_rate=USERS, host=server.url)
        directory = run_directory(number)
        until(lambda directory=directory: intervals_in(directory) >= 2)
        assert swarm.post("stop")
        until(lambda directory=directory: (directory / "summary.json").is_file())
        until(lambda: swarm.now()["state"] in ("ready", "stopped"))
    finished = swarm.finish()
    server.stop()
    assert server.account is not None
    totals = 0
    for directory in finished.directories:
        one = Finished(returncode=0, stdout="", stderr="", directories=(directory,))
        merged, own = counted(one)
        assert merged == own > 0
        totals += merged
    assert totals == server.account["posts"]
    assert "Traceback" not in finished.stderr, finished.stderr


def test_a_run_of_the_web_ui_that_is_aborted_starts_no_more_users(
    start_locust: Callable[..., LocustRun], server: ServerProcess
) -> None:
    """Ten users a second: it is aborted long before all have been started."""
    swarm = WebSwarm(start_locust, "--host", server.url, "--ws-abort-on", "message.p50 > 1ns for 2s")
    assert swarm.post("swarm", user_count=400, spawn_rate=10, host=server.url)
    swarm.master.wait_for("Stopping the run: --ws-abort-on")
    until(lambda: swarm.now()["state"] == "stopped")
    assert swarm.now()["user_count"] == 0
    finished = swarm.finish()
    assert finished.run["ended_at"] is not None
    assert finished.summary["peaks"]["users"] < 300
    assert "Timeout" not in finished.stderr and "Traceback" not in finished.stderr


def test_a_run_of_the_web_ui_that_is_refused_has_no_users(
    start_locust: Callable[..., LocustRun], server: ServerProcess
) -> None:
    swarm = WebSwarm(start_locust, "--host", server.url, "--ws-results", "/dev/null/results")
    assert swarm.post("swarm", user_count=100, spawn_rate=1, host=server.url)
    swarm.master.wait_for("The run was not started")
    until(lambda: swarm.now()["state"] == "stopped")
    assert swarm.now()["user_count"] == 0
    finished = swarm.finish()
    assert "Timeout" not in finished.stderr and "Traceback" not in finished.stderr
    server.stop()
    assert server.account is not None
    assert server.account["posts"] == 0


COUNTING = """

import os
from locust.exception import StopTest
from locust.runners import MasterRunner

def count(event):
    getattr(events, event).add_listener(
        lambda environment, **_: os.write(1, f"{type(environment.runner).__name__} {event}\\n".encode())
    )
for each in ("test_start", "test_stop"):
    count(each)
"""


def free_web_port() -> tuple[str, ...]:
    return "--web-host", "127.0.0.1", "--web-port", str(free_port())


@pytest.mark.parametrize(
    "way", [("--headless",), ("--autostart", "--autoquit", "0")], ids=["headless", "autostart"]
)
@pytest.mark.parametrize("ending", ["abort", "run time", "Ctrl-C"])
def test_a_run_that_ends_in_its_ramp_ends_once_everywhere(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    tmp_path: Path,
    way: tuple[str, ...],
    ending: str,
) -> None:
    """Ten users a second, 400 of them: what orders them would go on, and begin the run again on each worker."""
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text("from locust import events\n" + ECHO.read_text() + COUNTING)
    how = {"abort": ("--ws-abort-on", "message.p50 > 1ns for 2s"), "run time": ("-t", "5s"), "Ctrl-C": ()}
    master = start_locust(
        *("-f", locustfile, *way, *(() if "--headless" in way else free_web_port()), *processes(2)),
        *("-u", "400", "-r", "10", "--host", f"ws://127.0.0.1:{serving.websocket(echo)}", *how[ending]),
    )
    master.wait_for_intervals(3)
    if ending == "Ctrl-C":
        master.signal(signal.SIGINT)
    elif way[0] == "--autostart" and ending == "abort":
        master.wait_for("Stopping the run: --ws-abort-on")
        directory = master.wait_for_intervals(1)
        until(lambda: (directory / "summary.json").is_file())
        master.signal(signal.SIGINT)
    finished = master.finish()
    assert Counter(re.findall(r"\w+Runner test_\w+", finished.stdout)) == {
        "MasterRunner test_start": 1, "MasterRunner test_stop": 1,
        "WorkerRunner test_start": 2, "WorkerRunner test_stop": 2,
    }  # fmt: skip
    assert "arrived twice" not in finished.stderr and "Traceback" not in finished.stderr
    assert "Timeout" not in finished.stderr
    assert finished.summary["peaks"]["users"] < 300


def test_a_run_refused_with_autostart_loads_nothing(
    start_locust: Callable[..., LocustRun], server: ServerProcess
) -> None:
    web = free_web_port()
    master = start_locust(
        *("-f", CHAT, "--autostart", *web, *processes(2), "-u", "100", "-r", "1"),
        *("--host", server.url, "--ws-results", "/dev/null/results"),
    )
    master.wait_for("The run was not started")
    until(
        lambda: (
            requests.get(f"http://127.0.0.1:{web[-1]}/stats/requests", timeout=10).json()["state"]
            == "stopped"
        )
    )
    master.signal(signal.SIGINT)
    finished = master.finish()
    assert "Timeout" not in finished.stderr and "Traceback" not in finished.stderr
    server.stop()
    assert server.account is not None
    assert server.account["opens"] == 0


@pytest.mark.parametrize("how", ["StopTest('enough')", "SystemExit(7)"])
@pytest.mark.parametrize("shape", ["", "shape"])
def test_a_master_whose_test_start_fails_ends_its_run(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path, how: str, shape: str
) -> None:
    locustfile = tmp_path / "locustfile.py"
    failing = (
        "\n@events.test_start.add_listener\ndef fail(environment, **_):\n"
        f"    if isinstance(environment.runner, MasterRunner):\n        raise {how}\n"
    )
    shaped = (
        "\nfrom locust import LoadTestShape\n"
        "class Shape(LoadTestShape):\n    def tick(self):\n        return 5, 5\n"
    )
    text = "from locust import events\n" + ECHO.read_text() + COUNTING + failing
    locustfile.write_text(text + (shaped if shape else ""))
    master = start_locust(
        *("-f", locustfile, "--headless", *processes(2), "-u", "5", "-r", "5"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
    )
    finished = master.finish()
    assert finished.returncode == ExitCode.NOTHING_MEASURED
    assert finished.run["ended_at"] is not None
    assert "WorkerRunner test_start" not in finished.stdout
    assert finished.stdout.count("MasterRunner test_stop") == 1


def test_checks_are_the_masters_and_those_of_the_runs_start(
    start_locust: Callable[..., LocustRun], server: ServerProcess, tmp_path: Path
) -> None:
    """The file is gone from where the worker is, and later from where the master is."""
    checks, port = tmp_path / "checks.txt", str(free_port())
    checks.write_text("lost < 1\n")
    common = ("-f", CHAT, "--headless", "--only-summary", "-u", "4", "-r", "4", "--host", server.url)
    bind = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    master = start_locust(*common, "--master", "--expect-workers", "1", *bind, "--ws-checks", "checks.txt")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyproject.toml").write_text('[tool.wsload]\nchecks = ["nonsense"]\n')
    worker = LocustRun("-f", CHAT, "--worker", "--master-port", port, cwd=elsewhere)
    try:
        master.wait_for_intervals(2)
        checks.unlink()
        (tmp_path / "pyproject.toml").write_text('[tool.wsload]\nchecks = ["nonsense"]\n')
        os.kill(master.pid, signal.SIGINT)
        finished = master.finish()
        assert worker.finish().returncode == 0
    finally:
        worker.kill()
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    assert [check["expression"] for check in finished.run["checks"]] == ["lost < 1"]
    assert finished.count("message") > 0


@pytest.mark.parametrize("ahead_s", [3, -5])
def test_a_workers_clock_stretches_no_run(
    start_locust: Callable[..., LocustRun], server: ServerProcess, tmp_path: Path, ahead_s: int
) -> None:
    """One of two workers lives in another time."""
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(
        "import os, time\n"
        "if ahead := float(os.environ.get('TEST_AHEAD', '0')):\n"
        "    now, now_ns = time.time, time.time_ns\n"
        "    time.time = lambda: now() + ahead\n"
        "    time.time_ns = lambda: now_ns() + int(ahead * 1e9)\n" + CHAT.read_text()
    )
    port = str(free_port())
    common = ("-f", locustfile, "--headless", "--only-summary", "-u", "10", "-r", "10", "-t", "8s")
    run = start_locust(
        *(*common, "--host", server.url, "--ws-rate", "50", "--master", "--expect-workers", "2"),
        *("--master-bind-host", "127.0.0.1", "--master-bind-port", port),
    )
    workers = [
        start_locust("-f", locustfile, "--worker", "--master-port", port, env={"TEST_AHEAD": str(ahead)})
        for ahead in (0, ahead_s)
    ]
    finished = run.finish()
    for worker in workers:
        assert worker.finish().returncode == 0
    assert finished.summary["duration_s"] == pytest.approx(8, abs=1.5)
    assert finished.summary["peaks"]["users"] == 10
    (skew,) = [warning for warning in finished.run["warnings"] if warning["name"] == "clock-skew"]
    assert f"{abs(ahead_s)}.0 s {'ahead of' if ahead_s > 0 else 'behind'} the master's" in skew["text"]
    assert not [warning for warning in finished.run["warnings"] if warning["name"] == "intervals-missing"]


READY = """

@events.init.add_listener
def ready(**_):
    __import__("logging").info("has read its options")
"""


@pytest.mark.parametrize("more", [(), ("--headless",)], ids=["plain", "headless"])
def test_a_worker_that_refuses_a_run_is_named_by_its_master(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    certificates: Certificates,
    tmp_path: Path,
    more: tuple[str, ...],
) -> None:
    """Half of the load is missing, so the figures are not those of the load that was asked for."""
    own, port, host = tmp_path / "own.pem", str(free_port()), f"ws://127.0.0.1:{serving.websocket(echo)}"
    own.write_bytes(certificates.authority.read_bytes())
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text((LOCUSTFILES / "owing.py").read_text() + READY)
    master = start_locust(
        *("-f", locustfile, "--headless", "--master", "--expect-workers", "2", "-u", "4", "-r", "4"),
        *("-t", "4s", "--host", host, "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
    )
    worker = ("-f", locustfile, "--worker", "--master-port", port)
    refusing = start_locust(*worker, *more, "--ws-ca-file", own)
    refusing.wait_for("has read its options")
    own.unlink()
    other = start_locust(*worker)
    finished = master.finish()
    for each in (refusing, other):
        each.finish()
    (found,) = [warning for warning in finished.run["warnings"] if warning["name"] == "worker-refused"]
    assert "own.pem" in found["text"] and found["invalidates"]
    assert finished.run["trust"]["standing"] == "not trusted"
    assert "worker-lost" not in [warning["name"] for warning in finished.run["warnings"]]
    assert finished.count("message") > 0


FAILING = """

from wsload.load.recording import Recording


@events.init.add_listener
def fail(environment, **_):
    if __import__("os").environ.get("TEST_FAILS"):

        def failing(*_):
            raise KeyError("a bug")

        Recording.{where} = failing
"""


@pytest.mark.parametrize(
    ("where", "warning", "said"),
    [
        ("start", "worker-refused", "its part of the load is missing: a bug of wsload, KeyError: 'a bug'"),
        ("stop", "worker-failed", "the run's figures are incomplete: KeyError: 'a bug'"),
    ],
)
def test_a_bug_on_a_worker_is_said_in_one_line_there_and_by_its_master(
    start_locust: Callable[..., LocustRun],
    serving: Serving,
    tmp_path: Path,
    where: str,
    warning: str,
    said: str,
) -> None:
    port, host = str(free_port()), f"ws://127.0.0.1:{serving.websocket(echo)}"
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text((LOCUSTFILES / "owing.py").read_text() + FAILING.replace("{where}", where))
    master = start_locust(
        *("-f", locustfile, "--headless", "--master", "--expect-workers", "2", "-u", "4", "-r", "4"),
        *("-t", "4s", "--host", host, "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
    )
    worker = ("-f", locustfile, "--worker", "--master-port", port)
    failing, other = start_locust(*worker, env={"TEST_FAILS": "1"}), start_locust(*worker)
    finished, failed = master.finish(), failing.finish()
    other.finish()
    found = {each["name"]: each for each in finished.run["warnings"]}
    assert said in found[warning]["text"] and found[warning]["invalidates"] and "worker-lost" not in found
    assert finished.run["trust"]["standing"] == "not trusted" and finished.count("message") > 0
    log = failed.stderr
    assert log.count("Traceback") == 1
    line = (
        "The run was not started: a bug of wsload, KeyError"
        if where == "start"
        else "figures are incomplete: KeyError"
    )
    assert log.rindex(line) > log.index("Traceback")


@pytest.mark.parametrize("asks", [True, False], ids=["refuses", "too old to ask"])
def test_a_worker_of_another_version_is_named_on_both_sides(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path, asks: bool
) -> None:
    other = tmp_path / "other.py"
    patch = "import wsload.load.worker as worker\nworker.own_version = lambda: '9.9.9'\n"
    if not asks:
        patch = (
            "import wsload.load.worker as worker\ntell = worker.Worker._tell\n"
            "def told(self, message, **data):\n    data.pop('version', None)\n    tell(self, message, **data)\n"
            "worker.Worker._tell = told\n"
        )
    other.write_text(patch + ECHO.read_text())
    host, ports = f"ws://127.0.0.1:{serving.websocket(echo)}", processes(2)[2:]
    master = start_locust(
        *("-f", ECHO, "--headless", "--master", "--expect-workers", "2", "-u", "4", "-r", "4", "-t", "4s"),
        *("--host", host, *ports),
    )
    workers = [start_locust("-f", each, "--worker", *ports[-2:]) for each in (other, ECHO)]
    finished = master.finish()
    ends = [worker.finish() for worker in workers]
    name, version = ("worker-refused", "9.9.9") if asks else ("worker-version", "an earlier version")
    (found,) = [warning for warning in finished.run["warnings"] if warning["name"] == name]
    assert found["invalidates"] and f"has wsload {version}, its master 0." in found["text"]
    assert f"has wsload {version}, its master 0." in finished.stderr
    if asks:
        assert "has wsload 9.9.9, its master 0." in ends[0].stderr


def test_a_worker_whose_parent_is_killed_does_not_blame_its_master(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    host, ports = f"ws://127.0.0.1:{serving.websocket(echo)}", processes(2)[2:]
    master = start_locust(
        *("-f", ECHO, "--headless", "--master", "--expect-workers", "1", "-u", "2", "-r", "2", "-t", "30s"),
        *("--host", host, *ports),
    )
    parent = start_locust("-f", ECHO, "--worker", "--processes", "1", *ports[-2:])
    master.wait_for_intervals(2)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait_for(rf"The process that started this worker \(pid {parent.pid}\) is gone")
    assert master.finish().run["ended_at"] is not None
