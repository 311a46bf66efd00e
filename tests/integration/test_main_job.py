"""The main job: ``locust -f locustfiles/chat.py`` loads a server, and all that counted agree."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from support.locust_run import CHAT, ECHO, FILES, LOCUSTFILES, Finished, LocustRun, own_ports
from support.schemas import validate_run
from support.serving import Serving, echo
from support.undisturbed import undisturbed
from support.waiting import until
from websockets.asyncio.server import ServerConnection

from wsload.measure.names import for_people
from wsload.results.reader import open_run
from wsload.server.process import ServerProcess

RunLocust = Callable[..., Finished]


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    with ServerProcess("--quiet-roster") as process:
        yield process


def counts_by_tag(log: Path) -> dict[str, int]:
    """How many values a histogram log holds by its tags, as another library reads it."""
    lines = log.read_text().splitlines()
    assert lines[0] == "#[Histogram log format version 1.3]"
    counts: dict[str, int] = {}
    for line in lines:
        if line.startswith(("#", '"')):
            continue
        found = re.fullmatch(r"(?:Tag=([^,]+),)?[0-9.]+,[0-9.]+,[0-9.]+,(\S+)", line)
        assert found, line
        histogram = HdrHistogram.decode(found[2].encode())
        assert base64.b64decode(found[2], validate=True)
        counts[found[1] or ""] = counts.get(found[1] or "", 0) + histogram.get_total_count()
    return counts


def assert_complete(finished: Finished) -> None:
    """Every file is there, whole, and tells the same as the others, and as Locust's own table."""
    assert "Traceback" not in finished.stderr, finished.stderr
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert open_run(finished.directory).problems == ()
    validate_run(finished.directory)
    run, summary = finished.run, finished.summary
    assert run["schema"] == summary["schema"] == 2
    assert run["started_at"] < run["ended_at"]
    assert {"build", "target", "options", "versions", "host", "trust", "warnings", "checks"} <= run.keys()

    logged = counts_by_tag(finished.directory / "histograms.hlog")
    assert logged.pop("") == finished.count("message")
    shown = {name: count for name, count in logged.items() if for_people(name)}
    assert shown == {name: finished.count(name) for name in summary["metrics"] if name != "message"}

    sent = sum(second["counters"].get("sent", 0) for second in finished.counts)
    assert sent == finished.counter("sent")
    times = [second["t"] for second in finished.counts]
    assert times == sorted(times)

    for name in ("open", "login", "message", "close"):
        failed = sum(number for key, number in finished.failures.items() if key.startswith(f"{name}: "))
        row = finished.rows.get(name)
        assert (row.requests - row.failures if row else 0) == finished.count(name)
        assert (row.failures if row else 0) == failed


def assert_at_one_with(finished: Finished, server: ServerProcess) -> dict[str, int]:
    """Every post that the server saw was answered or counted lost; returns the server's account."""
    server.stop()
    assert server.account is not None
    assert finished.count("message") + finished.counter("lost") == server.account["posts"] > 0
    assert finished.counter("logins") == server.account["logins"]
    assert finished.counter("opens") == server.account["opens"]
    return server.account


def test_who_had_not_arrived_when_the_test_ended_misses_nothing(
    start_locust: Callable[..., LocustRun], server: ServerProcess
) -> None:
    users = ("-u", "50", "-r", "50", "--host", server.url)
    finished = start_locust("-f", LOCUSTFILES / "leavers.py", "--headless", *users).finish()
    assert "Traceback" not in finished.stderr, finished.stderr
    assert open_run(finished.directory).problems == ()
    server.stop()
    assert server.account is not None
    # An opening that the end cut short may have gone through on the server's side.
    assert 0 < finished.counter("opens") <= server.account["opens"] < 50
    assert finished.counter("sent") == server.account["ignored"] == finished.counter("opens")
    assert finished.failures == {} and finished.counter("unsent") == 0


def test_a_headless_run(start_locust: Callable[..., LocustRun], server: ServerProcess) -> None:
    # That a busy machine makes the load generator late is a failure too, but not what is asked here.
    with undisturbed():
        run = start_locust(
            *("-f", CHAT, "--headless", "-u", "50", "-r", "50", "-t", "6s"),
            *("--host", server.url, "--ws-build", "v1.2"),
        )
    finished = run.finish()
    assert finished.returncode == 0, finished.stderr
    assert_complete(finished)
    account = assert_at_one_with(finished, server)
    assert finished.failures == {}
    assert finished.count("login") == 50
    assert finished.count("message") == account["echoed"]
    received = finished.counter("deliveries_own_host") + finished.counter("deliveries_foreign")
    assert received == finished.count("delivery") == account["deliveries"]
    # Fifty users, a post a second each, for six seconds less the ramp.
    assert 200 <= finished.count("message") <= 300
    assert 5 < finished.summary["duration_s"] < 7
    assert finished.directory.name.endswith("-v1.2")
    assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z-v1\.2", finished.directory.name)
    assert finished.run["build"] == "v1.2"
    assert finished.run["target"] == server.url
    # What a person sees.
    assert "p99.9" in finished.stdout
    assert re.search(r"^message +[0-9]+ ", finished.stdout, re.MULTILINE)
    assert f"results/{finished.directory.name}" in finished.stdout


def test_without_a_host_a_server_is_started_and_stopped_with_the_run(run_locust: RunLocust) -> None:
    finished = run_locust("-f", CHAT, "--headless", "-u", "5", "-r", "5", "-t", "3s")
    assert finished.returncode == 0, finished.stderr
    assert_complete(finished)
    assert finished.failures == {}
    assert finished.count("message") > 0
    said = re.findall(r"No --host given: .* at (ws://127\.0\.0\.1:[0-9]+/) \(pid ([0-9]+)\)", finished.stderr)
    assert len(said) == 1
    url, pid = said[0]
    assert finished.run["target"] == url
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_several_processes(run_locust: RunLocust, server: ServerProcess) -> None:
    finished = run_locust(
        *("-f", CHAT, "--headless", "-u", "20", "-r", "20", "-t", "4s"),
        *("--host", server.url, "--processes", "2", *own_ports()),
    )
    assert finished.returncode == 0, finished.stderr
    assert_complete(finished)
    assert_at_one_with(finished, server)
    assert finished.failures == {}
    assert finished.count("login") == 20


def test_lost_and_repeated_answers_are_counted_as_the_server_counted_them(run_locust: RunLocust) -> None:
    with ServerProcess("--quiet-roster", "--fault", "drop=10%", "--fault", "duplicate=10%") as server:
        finished = run_locust(
            *("-f", CHAT, "--headless", "-u", "20", "-r", "20", "-t", "5s"),
            *("--host", server.url, "--ws-message-timeout", "1s", "--ws-rate", "60"),
        )
        account = assert_at_one_with(finished, server)
    assert_complete(finished)
    assert finished.returncode == 1
    assert finished.counter("lost") == finished.count("message.lost") == account["dropped"] > 0
    assert finished.count("message") == account["echoed"]
    # The second one may come when its user has left.
    assert account["duplicated"] - 2 <= finished.counter("duplicates") <= account["duplicated"]
    assert finished.counter("duplicates") > 0
    assert set(finished.failures) <= {"message: timeout", "message: no answer by the end"}
    assert sum(finished.failures.values()) == finished.counter("lost")


def test_any_echo_server(run_locust: RunLocust, serving: Serving) -> None:
    answered = 0

    async def echo(connection: ServerConnection) -> None:
        nonlocal answered
        async for message in connection:
            await connection.send(message)
            answered += 1

    port = serving.websocket(echo)
    finished = run_locust(
        *("-f", ECHO, "--headless", "-u", "10", "-r", "10", "-t", "3s", "--host", f"ws://127.0.0.1:{port}")
    )
    assert finished.returncode == 0, finished.stderr
    assert_complete(finished)
    assert finished.failures == {}
    assert finished.count("message") == answered >= 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_is_interrupted_leaves_complete_results(
    start_locust: Callable[..., LocustRun], server: ServerProcess, number: signal.Signals, processes: int
) -> None:
    run = start_locust(
        *("-f", CHAT, "--headless", "-u", "10", "-r", "10", "--host", server.url),
        *(("--processes", str(processes), *own_ports()) if processes > 1 else ()),
    )
    run.wait_for_intervals(2)
    run.signal(number)
    finished = run.finish()
    assert finished.returncode == 0, finished.stderr
    assert_complete(finished)
    assert_at_one_with(finished, server)
    assert finished.count("login") == 10


def test_a_run_that_is_killed_keeps_what_it_had_and_takes_its_server_along(
    start_locust: Callable[..., LocustRun],
) -> None:
    run = start_locust("-f", CHAT, "--headless", "-u", "10", "-r", "10")
    pid = int(run.wait_for(r"own chat server at \S+ \(pid ([0-9]+)\)")[1])
    directory = run.wait_for_intervals(3)
    run.kill()
    stored = open_run(directory)
    assert stored.info.ended_at is None
    assert stored.problems
    assert stored.totals().histograms["message"].total > 0
    until(lambda: not Path(f"/proc/{pid}").exists(), what="the end of the embedded server")


MISTAKES = {
    ("--ws-drain", "x"): r"argument --ws-drain: 'x': a duration is",
    ("--ws-foo", "1"): r"unrecognized arguments: --ws-foo",
    ("--ws-header", "no colon"): r"argument --ws-header: a header is 'Name: value'",
    ("--ws-url", "ftp://127.0.0.1/"): r"argument --ws-url: .*the scheme 'ftp'",
    ("--host", "ws://127.0.0.1/#top"): r"the URL 'ws://127\.0\.0\.1/#\*\*\*' has a fragment",
    ("--ws-results", "/dev/null/results"): r"results directory '/dev/null/results': can't be written",
    ("--ws-origin", "https://chat.example", "--host", "ws://chat.example"): r"SecurityError: .*use wss://",
}
"""More of them, without a process each, are in ``test_options.py``."""


@pytest.mark.parametrize("mistake", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_exit_code_2(run_locust: RunLocust, mistake: tuple[str, ...]) -> None:
    finished = run_locust("-f", CHAT, "--headless", "-t", "5s", *mistake, limit_s=20)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr, finished.stderr
    errors = [line for line in finished.stderr.splitlines() if re.search(MISTAKES[mistake], line)]
    assert len(errors) == 1, finished.stderr
    assert all(row.requests == 0 for row in finished.rows.values())
    assert finished.directories == ()


def test_no_host_where_none_is_started_is_one_line_and_exit_code_2(run_locust: RunLocust) -> None:
    finished = run_locust("-f", ECHO, "--headless", "-t", "5s", limit_s=20)
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr, finished.stderr
    assert len(re.findall(r"names no host: give --host", finished.stderr)) == 1
    assert all(row.requests == 0 for row in finished.rows.values())


REFUSED = """
from locust import constant
from wsload import WebSocketUser, task

class Customer(WebSocketUser):
    wait_time = constant(0.1)

    @task
    async def buy(self):
        await self.round_trip("pay", name="buy")
        await self.round_trip("steal", name="buy", check=lambda answer: "no")
"""


@pytest.mark.parametrize(("option", "code"), [((), 1), (("--exit-code-on-error", "0"), 0)], ids=["1", "0"])
def test_a_refusal_that_the_checks_allow_is_locust_s_exit_code_and_said(
    run_locust: RunLocust, serving: Serving, tmp_path: Path, option: tuple[str, ...], code: int
) -> None:
    (tmp_path / "locustfile.py").write_text(REFUSED, "utf-8")
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    load = ("--headless", "--only-summary", "-u", "5", "-r", "5", "-t", "2s", "--ws-allow-invalid")
    finished = run_locust("--host", host, *load, *option, "--ws-check", "buy.failed.rate < 90%")
    assert finished.returncode == code, finished.stderr
    assert [check["passed"] for check in finished.run["checks"]] == [True]
    assert ("with --exit-code-on-error 0, only the checks decide" in finished.stderr) == bool(code)


def test_a_listener_that_raises_is_not_called_a_failed_request(
    run_locust: RunLocust, serving: Serving, tmp_path: Path
) -> None:
    raising = "\n\n@events.test_start.add_listener\ndef fail(**_):\n    raise RuntimeError('a bug')\n"
    (tmp_path / "locustfile.py").write_text((LOCUSTFILES / "owing.py").read_text() + raising)
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust("--host", host, "--headless", "--only-summary", "-t", "2s")
    assert finished.returncode == 2
    assert "Exit code 2, because Locust exits with it after an unhandled exception" in finished.stderr
    assert "failed request" not in finished.stderr


def test_with_json_standard_output_is_locusts_json_and_nothing_else(
    run_locust: RunLocust, serving: Serving
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    finished = run_locust(
        "-f", LOCUSTFILES / "owing.py", "--host", host, "--headless", "-t", "2s", "--json", "--skip-log"
    )
    assert {entry["name"] for entry in json.loads(finished.stdout)} >= {"message", "open"}
    assert "Results: results/" in finished.stderr


def test_secrets_reach_no_file_and_no_output(run_locust: RunLocust, server: ServerProcess) -> None:
    secret = "s3cr3t-Wh1sper"
    host = server.url.replace("ws://", f"ws://ada:{secret}@")
    finished = run_locust(
        *("-f", CHAT, "--headless", "-t", "2s", "--host", host, "--ws-header", f"X-Key: {secret}"),
        *("--ws-cookie", f"session={secret}", "--ws-url", f"/?token={secret}"),
        env={"LOCUST_WS_BEARER": secret},
    )
    assert finished.count("login") == 1
    stored = "".join(path.read_text() for path in finished.directory.iterdir())
    assert secret not in stored
    assert secret not in finished.stdout
    assert secret not in finished.stderr
    options = finished.run["options"]
    assert options["ws_header"] == ["X-Key:***"]
    assert json.dumps(options["ws_bearer"]) == '"***"'
