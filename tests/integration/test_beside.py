"""Two servers at the same time: ``--ws-beside``, with the real command."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.locust_run import CHAT, ECHO, LOCUSTFILES, Finished, LocustRun
from support.schemas import validate_run
from support.serving import Serving, echo
from support.waiting import until

from wsload.results.reader import open_run
from wsload.server.process import ServerProcess

RunLocust = Callable[..., Finished]
USERS = ("--headless", "--only-summary", "-u", "10", "-r", "10")


@pytest.fixture
def servers() -> Iterator[tuple[ServerProcess, ServerProcess]]:
    with ServerProcess("--quiet-roster") as one, ServerProcess("--quiet-roster") as other:
        yield one, other


def sides(finished: Finished) -> list[Finished]:
    """Both runs, each as if it were the only one: the first one's, then the other's."""
    found = [replace(finished, directories=(path,)) for path in finished.directories]
    assert len(found) == 2, finished.stderr
    return sorted(found, key=lambda each: str(each.run["build"]))


def test_both_sides_are_whole_runs_of_the_same_seconds(
    servers: tuple[ServerProcess, ServerProcess], run_locust: RunLocust
) -> None:
    one, other = servers
    beside = ("--ws-beside", other.url, "--ws-beside-build", "B")
    finished = run_locust(
        *("-f", CHAT, *USERS, "-t", "5s", "--host", one.url, "--ws-build", "A", *beside),
        *("--ws-rate", "100", "--ws-check", "message.p50 < 5s"),
    )
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    a, b = sides(finished)
    assert (a.run["partner"], b.run["partner"]) == (b.directory.name, a.directory.name)
    assert max(a.run["started_at"], b.run["started_at"]) < min(a.run["ended_at"], b.run["ended_at"])
    assert [each.run["target"].rstrip("/") for each in (a, b)] == [one.url.rstrip("/"), other.url.rstrip("/")]
    for side, server in ((a, one), (b, other)):
        assert open_run(side.directory).problems == ()
        validate_run(side.directory)
        server.stop()
        account = server.account
        assert account is not None
        assert side.count("open") == side.count("login") == 10 == account["opens"]
        assert side.counter("requests") == account["posts"]
        assert side.count("message") + side.counter("lost") == side.counter("requests")
        assert side.summary["peaks"]["users"] == 10
        assert [check["passed"] for check in side.run["checks"]] == [True]
        assert f"Results: {side.directory.relative_to(side.directory.parents[1])}" in finished.stdout
        assert side.count("loop_lag") > 3_000  # of the event loop, which they share
    assert abs(a.counter("requests") - b.counter("requests")) <= 30  # the same rate, begun within a moment


@pytest.mark.parametrize("leaving", ["first", "other", "signal"])
def test_the_sides_end_together_whoever_ends_them(
    serving: Serving, start_locust: Callable[..., LocustRun], tmp_path: Path, leaving: str
) -> None:
    one, other = (f"ws://127.0.0.1:{serving.websocket(echo)}" for _ in range(2))
    locust = start_locust(
        *("-f", LOCUSTFILES / "one_leaves.py", *USERS, "-t", "60s", "--host", one, "--ws-build", "A"),
        *("--ws-beside", other, "--ws-beside-build", "B"),
        env={"ENDING": {"first": one, "other": other, "signal": ""}[leaving]},
    )
    if leaving == "signal":
        logs = "results/*/counters.jsonl"
        until(
            lambda: [len(log.read_bytes().splitlines()) >= 3 for log in tmp_path.glob(logs)] == [True] * 2,
            what="three seconds of both sides",
        )
        locust.signal(signal.SIGINT)
    finished = locust.finish()
    assert "Traceback" not in finished.stderr
    for side in sides(finished):
        assert side.run["ended_at"] is not None
        assert open_run(side.directory).problems == ()
        assert side.summary["peaks"]["users"] == 10
        assert side.failures == {}
    # The locustfile's listeners are called for each side.
    said = [line for line in finished.stdout.splitlines() if line.startswith(("init ", "start ", "stop "))]
    assert sorted(said) == sorted(
        f"{what} {host}" for what in ("init", "start", "stop") for host in (one, other)
    )


def test_one_side_that_is_not_to_be_trusted_is_the_exit_code(serving: Serving, run_locust: RunLocust) -> None:
    one = f"ws://127.0.0.1:{serving.websocket(echo)}"
    gone = f"ws://127.0.0.1:{serving.free_port()}"
    finished = run_locust(
        *("-f", ECHO, *USERS, "-t", "3s", "--host", one, "--ws-build", "A"),
        *("--ws-beside", gone, "--ws-beside-build", "B"),
    )
    assert finished.returncode == 5, finished.stderr
    a, b = sides(finished)
    assert a.count("open") == 10 and b.count("open") == 0
    assert b.run["trust"]["verdict"].startswith("Failed at start: nobody could connect")


def beside(serving: Serving) -> tuple[str, str, list[str]]:
    """Both URLs, and the options that name them."""
    one, other = (f"ws://127.0.0.1:{serving.websocket(echo)}" for _ in range(2))
    return one, other, ["--host", one, "--ws-build", "A", "--ws-beside", other, "--ws-beside-build", "B"]


def test_what_locusts_options_ask_for_holds_for_both_sides(serving: Serving, run_locust: RunLocust) -> None:
    _, _, urls = beside(serving)
    finished = run_locust(
        *("-f", LOCUSTFILES / "uneven.py", *USERS, "-r", "4", "-t", "5s", *urls),
        *("--equal-weights", "--reset-stats", "--ws-json-progress"),
    )
    assert finished.returncode == 0, finished.stderr
    for side in sides(finished):
        assert 0.6 < side.count("often") / side.count("seldom") < 1.6
        assert side.run["window"]["from_s"] > 0
        assert side.count("open") < 10
    for line in finished.stdout.splitlines():
        assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize(("how", "code"), [("exit", 7), ("raise", 1), ("quitting", 9), ("", 0)])
@pytest.mark.parametrize("which", [0, 1])
def test_either_side_decides_the_exit_code(
    serving: Serving, run_locust: RunLocust, how: str, code: int, which: int
) -> None:
    *servers, urls = beside(serving)
    finished = run_locust(
        *("-f", LOCUSTFILES / "uneven.py", *USERS, "-t", "3s", *urls),
        env={"HOW": how, "ENDING": servers[which]},
    )
    assert finished.returncode == code, finished.stderr
    assert all(side.run["ended_at"] for side in sides(finished))


def test_a_side_that_can_not_be_stored_leaves_no_run_of_the_other(
    serving: Serving, run_locust: RunLocust, tmp_path: Path
) -> None:
    _, _, urls = beside(serving)
    (tmp_path / "file").write_text("in the way")
    finished = run_locust(
        "-f", LOCUSTFILES / "uneven.py", *USERS, "-t", "3s", *urls, "--ws-beside-results", "file/results"
    )
    assert finished.returncode == 2
    assert "results directory 'file/results': can't be written to" in finished.stderr
    assert finished.directories == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ws-beside", "ws://127.0.0.1:1"), "--ws-beside: it is the same URL as --host"),
        (
            ("--ws-beside", "ws://127.0.0.1:2", "--ws-beside-build", "dev"),
            "--ws-beside-build: both builds are called 'dev'",
        ),
        (
            ("--ws-beside", "ws://127.0.0.1:2", "--ws-url", "ws://127.0.0.1:3/"),
            "--ws-beside: both sides would open the same URL: leave --ws-url out",
        ),
        (("--ws-beside", "ftp://x"), "the URL 'ftp://x' has the scheme 'ftp'"),
    ],
)
def test_what_does_not_fit_is_one_line(run_locust: RunLocust, words: tuple[str, ...], said: str) -> None:
    finished = run_locust("-f", ECHO, *USERS, "-t", "1s", "--host", "ws://127.0.0.1:1", *words)
    assert finished.returncode == 2
    last = finished.stderr.splitlines()[-1]
    assert last.startswith("locust: error: ") and said in last
    assert finished.directories == ()
