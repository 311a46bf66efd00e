"""Rows of the fault table, each a run of its own against a server that keeps an account."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.scene import SECRET, USERS, Account, Row, assert_sound
from support.locust_run import CHAT, LocustRun
from support.serving import Serving

PAUSE_S = 3


def no_more_files(run: LocustRun) -> None:
    run.wait_for("Ramping to")
    _, most = resource.prlimit(run.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (40, most))


def hold_up(run: LocustRun) -> None:
    """Stops the process for a while, as a laptop that is closed does."""
    run.wait_for_intervals(1)
    run.signal(signal.SIGSTOP)
    time.sleep(PAUSE_S)  # what is tested
    run.signal(signal.SIGCONT)


HOST = ("--host", "ws://127.0.0.1:{server}")
ROWS = (
    Row(
        fault="a rate that no process reaches",
        made=(*HOST, "--ws-rate", "200000", "-u", "2", "-t", "3s", "--ws-max-in-flight", "20"),
        seen=("task: load generator too late", "task: too many in flight", "message: no answer by the end"),
    ),
    Row(
        fault="a user without a connection and without a wait",
        made=(*HOST, "-u", "2", "-t", "2s"),
        user="    auto_connect = False\n    wait_time = constant(0)\n    @task\n    async def idle(self): pass",
        seen=("message: not connected",),
        code=5,
    ),
    Row(
        fault="calls that fail without ever waiting",
        made=(*HOST, "-u", "2", "-t", "2s"),
        user="""    auto_connect = False
    async def insist(self):
        while True:
            try:
                await self.round_trip("hello")
            except WorkloadError:
                pass
    tasks = [insist]""",
        seen=("message: not connected",),
        code=5,
    ),
    Row(
        fault="a thousand users who leave at once",
        made=(*HOST, "-u", "1000", "-r", "1000", "-t", "4s", "--ws-rate", "500"),
        seen=("message: no answer by the end", "message: not connected", "task: load generator too late"),
    ),
    Row(
        fault="a graceful stop while the next due time is far",
        made=(*HOST, "-u", "4", "-t", "3s", "--stop-timeout", "60s"),
        user="    wait_time = constant_rate(0.05)\n\nclass Busy(Guest):\n    wait_time = constant(0.1)",
    ),
    Row(
        fault="a connection that is gone while a task waits, and no reconnection",
        made=(*HOST, "-u", "2", "-t", "3s", "--no-ws-reconnect"),
        user="""    @task
    async def ask(self):
        await self.round_trip("hello")
        try:
            await self.round_trip("drop")
        except BaseException as error:
            print("WAS TOLD", type(error).__name__)
            raise""",
        seen=("message: closed 1006", "close: closed 1006"),
        told="WAS TOLD ConnectionLost",
        sure=True,
    ),
    Row(
        fault="gevent.spawn in a task",
        made=(*HOST, "-u", "2", "-t", "2s"),
        user="    @task\n    async def spawn(self):\n        import gevent\n        gevent.spawn(print)",
        seen=("task spawn: UsageError",),
        said="use asyncio.create_task, or asyncio.to_thread",
        sure=True,
    ),
    Row(
        fault="no more files for the load generator",
        made=(*HOST, "-u", "60", "-r", "20", "-t", "6s"),
        seen=("open: too many open files",),
        sure=True,
        meddle=no_more_files,
    ),
    Row(
        fault="a source address that is not this machine's",
        made=(*HOST, "-u", "2", "-t", "2s", "--ws-source-ip", "203.0.113.9"),
        seen=("open: source address",),
        code=5,
    ),
    Row(
        fault="a load generator that is stopped for seconds",
        made=(*HOST, "-u", "4", "-t", "7s"),
        user="    wait_time = constant_rate(20)",
        seen=("task: load generator too late",),
        meddle=hold_up,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_run_with_a_fault(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path, row: Row
) -> None:
    account = Account()
    port = serving.websocket(account.echo)
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(f"{USERS}\n{row.user}\n")
    options = [option.format(server=port) for option in row.made]
    began = time.monotonic()
    run = start_locust("-f", locustfile, "--headless", *options, env={"LOCUST_WS_BEARER": SECRET})
    row.meddle(run)
    finished = run.finish()
    assert time.monotonic() - began < row.within_s
    assert "Timeout" not in finished.stderr, finished.stderr
    assert_sound(finished, code=row.code or (1 if finished.failures else 0))
    assert row.said in finished.stderr
    assert finished.failures.keys() <= set(row.seen)
    if row.sure:
        assert finished.failures.keys() == set(row.seen)
    # The account: what was sent is what the server received; what has no answer is lost.
    sent, answered = finished.counter("requests"), finished.count("message")
    assert sent == answered + finished.counter("lost")
    assert answered <= account.received <= sent
    if not finished.counter("lost"):
        assert account.received == sent
    assert row.told in finished.stdout and "CancelledError" not in finished.stdout


REFUSED = {
    "--ws-origin": "https://[x",
    "--ws-url": "ws://[x",
    "--ws-connect-to": "[::1:9",
    "--ws-proxy": "http://[x",
    "--host": "ws://a:99999",
    "--ws-rate": "1e999",
    "--ws-max-message": "9" * 400,
    "--ws-header": "a\r\nb: c",
    "--ws-check": "(" * 900,
    "--ws-client-cert": "nowhere.pem",
    "--ws-ca-file": "\udcff",
    "--ws-subprotocol": "a b",
}


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_can_not_be_used_is_one_line(
    start_locust: Callable[..., LocustRun], tmp_path: Path, option: str
) -> None:
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(USERS)
    given = {"--host": "ws://127.0.0.1:1", "-t": "1s", option: REFUSED[option]}
    words = [f"{name}={value}" if name.startswith("--") else name + value for name, value in given.items()]
    finished = start_locust("-f", locustfile, "--headless", *words, env={"LOCUST_WS_BEARER": SECRET}).finish()
    print(finished.stderr)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr and SECRET not in finished.stderr
    assert sum("error: " in line for line in finished.stderr.splitlines()) == 1
    assert not finished.directories


MISTAKES = {
    "    @task\n    def ask(self): pass": "Guest: the task ask must be 'async def'",
    "    tasks = [type('Walk', (TaskSet,), {'tasks': [print]})]": "Guest: the task print must be 'async def'",
    "    def on_start(self): pass": "Guest: on_start must be 'async def'",
    "    wait_time = constant_rate(0)": "a rate",
    "    url = 7": "Guest: url must be a URL or a path, not 7",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=MISTAKES.get)
def test_a_user_class_that_can_not_be_is_one_line(
    start_locust: Callable[..., LocustRun], tmp_path: Path, mistake: str
) -> None:
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(f"from locust import TaskSet\n{USERS}\n{mistake}\n")
    finished = start_locust("-f", locustfile, "--headless", "-t", "1s").finish()
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert finished.stderr.startswith(f"locust: error: {locustfile}:")
    assert MISTAKES[mistake] in finished.stderr


def test_a_proxy_and_a_source_address_exclude_each_other(
    start_locust: Callable[..., LocustRun], tmp_path: Path
) -> None:
    (tmp_path / "locustfile.py").write_text(USERS)
    options = ("--host", "ws://127.0.0.1:1", "--ws-proxy", f"http://me:{SECRET}@127.0.0.1:1")
    finished = start_locust("--headless", *options, "--ws-source-ip", "127.0.0.1").finish()
    assert finished.returncode == 2
    assert "--ws-source-ip: it has no effect through --ws-proxy" in finished.stderr
    assert SECRET not in finished.stderr


def alone_in_the_network() -> bool:
    """Whether a process can have a network of its own here."""
    return (
        bool(shutil.which("unshare") and shutil.which("ip"))
        and not subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode
    )


@pytest.mark.skipif(not alone_in_the_network(), reason="no network of one's own here")
def test_ports_run_out(start_locust: Callable[..., LocustRun]) -> None:
    few = 'ip link set lo up && echo 40000 40009 >/proc/sys/net/ipv4/ip_local_port_range && exec "$0" "$@"'
    finished = start_locust(
        *("-f", CHAT, "--headless", "-u", "30", "-r", "30", "-t", "4s"),
        env={"LOCUST_WS_BEARER": SECRET},
        within=("unshare", "-n", "sh", "-c", few),
    ).finish()
    assert_sound(finished, code=1)
    assert finished.failures.keys() == {"open: no free port"}
    assert 0 < finished.counter("opens") <= 10
    assert finished.counter("requests") == finished.count("message") + finished.counter("lost")


def test_runs_of_one_second_have_directories_of_their_own(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> None:
    account = Account()
    host = f"ws://127.0.0.1:{serving.websocket(account.echo)}"
    (tmp_path / "locustfile.py").write_text(USERS)
    options = ("--headless", "--host", host, "-u", "2", "-r", "2", "-t", "3s", "--ws-build", "same")
    runs = [start_locust(*options, env={"LOCUST_WS_BEARER": SECRET}) for _ in range(3)]
    finished = [run.finish() for run in runs]
    assert [each.returncode for each in finished] == [0, 0, 0]
    directories = finished[-1].directories
    assert len(directories) == 3
    sent = 0
    for directory in directories:
        sent += json.loads((directory / "summary.json").read_bytes())["counters"]["requests"]
    assert sent == account.received
