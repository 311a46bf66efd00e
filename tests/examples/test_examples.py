"""Each example locustfile against the real service it is for, judged by what it leaves in its results."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import ROOT, Finished
from support.services import mosquitto, node, rabbitmq, token_chat
from support.undisturbed import undisturbed

pytestmark = pytest.mark.xdist_group("timing")

LOCUSTFILES = ROOT / "locustfiles"
USERS = 5

Run = Callable[..., Finished]


@pytest.fixture
def run(run_locust: Callable[..., Finished]) -> Run:
    """Runs an example for four seconds; its checks judge what it measured."""

    def run(name: str, port: int, *checks: str) -> Finished:
        judged = [word for check in checks for word in ("--ws-check", check)]
        with undisturbed():
            return run_locust(
                *("-f", LOCUSTFILES / f"{name}.py", "--headless", "-u", str(USERS), "-r", str(USERS)),
                *("-t", "4s", "--host", f"ws://127.0.0.1:{port}", *judged),
            )

    return run


def p50_ms(finished: Finished, name: str) -> float:
    return finished.summary["metrics"][name]["p50_ns"] / 1e6


def assert_judged(finished: Finished, returncode: int = 0) -> None:
    """It ended as wanted: every check was judged on figures, and nothing went wrong beside them."""
    assert finished.returncode == returncode, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    assert all(check["passed"] for check in finished.run["checks"]), finished.run["checks"]
    assert not [warning for warning in finished.run["warnings"] if warning["invalidates"]]
    assert finished.counter("lost") == finished.counter("duplicates") == finished.counter("late") == 0


def test_json_rpc(run: Run, node_modules: Path) -> None:
    with node("jsonrpc.js", node_modules) as port:
        finished = run("jsonrpc", port, "getBook.p50 < 20ms", "getBook.p50 > 10ms", "placeOrder.p50 < 20ms")
    assert_judged(finished, 1)  # one order in ten is refused, which is a failure
    assert finished.count("subscribe") == USERS
    assert finished.count("getBook") > 40
    orders = finished.count("placeOrder") + finished.count("placeOrder.failed")
    assert finished.failures == {"placeOrder: error -32001": orders // 10}
    assert finished.count("age of prices") > 400


def test_socket_io(run: Run, node_modules: Path) -> None:
    with node("socketio.js", node_modules) as port:
        finished = run("socketio", port, "order.p50 > 20ms", "order.p50 < 30ms", "news.p50 < 20ms")
    assert_judged(finished, 1)
    assert finished.count("connect") == finished.counter("opens") == USERS, "pings were answered"
    failures = dict(finished.failures)
    failures.pop("message: not connected", None)  # the answer to a ping that came while the user was closing
    assert failures == {"order: refused": finished.count("order.failed")}
    assert finished.count("news") > 200


def test_graphql(run: Run, node_modules: Path) -> None:
    with node("graphql.js", node_modules) as port:
        finished = run(
            "graphql", port, "book.p50 > 10ms", "book.p50 < 20ms", '"arrivals, to the end".p50 > 100ms'
        )
    assert_judged(finished, 1)
    refused = ("banned", "banned arrivals, to the first", "banned arrivals, to the end")
    assert finished.failures == {
        f"{name}: GraphQL errors": finished.count(f"{name}.failed") for name in refused
    }
    assert [finished.count(name) for name in refused] == [0, 0, 0]
    assert finished.count("arrivals, to the first") >= finished.count("arrivals, to the end") > 3
    assert 20 <= p50_ms(finished, "arrivals, to the first") < 40


def test_mqtt(run: Run, tmp_path: Path) -> None:
    with mosquitto(tmp_path) as port:
        finished = run("mqtt", port, "PUBLISH.p50 < 50ms", '"delivery to subscribers".p50 < 50ms')
    assert_judged(finished)
    assert finished.count("CONNECT") == finished.count("SUBSCRIBE") == USERS
    assert finished.count("PUBLISH") > 60
    assert finished.count("delivery to subscribers") > 4 * finished.count("PUBLISH")


def test_stomp(run: Run, tmp_path: Path) -> None:
    with rabbitmq(tmp_path) as port:
        finished = run("stomp", port, "SEND.p50 < 50ms", '"delivery to subscribers".p50 < 50ms')
    assert_judged(finished)
    assert finished.count("CONNECT") == finished.count("SUBSCRIBE") == USERS
    assert finished.count("SEND") > 60
    assert finished.count("delivery to subscribers") > 4 * finished.count("SEND")


def test_a_chat_behind_a_login(run: Run) -> None:
    with token_chat() as port:
        finished = run("token_chat", port, '"log in".p50 > 20ms', '"log in".p50 < 200ms', "say.p50 > 10ms")
    assert_judged(finished)
    assert finished.count("log in") == finished.counter("opens") == USERS
    assert finished.count("say") > 20


def test_a_chat_in_another_format(run: Run) -> None:
    with token_chat() as port:
        finished = run("room_chat", port, "message.p50 > 10ms", "message.p50 < 100ms", '"log in".p50 > 20ms')
    assert_judged(finished)
    posts = finished.count("message")
    assert posts > 20
    assert finished.counter("logins") == USERS
    # Everybody but the sender; those who are not in the room yet, or no longer, miss some.
    assert 0.8 * posts * (USERS - 1) < finished.counter("deliveries_own_host") <= posts * (USERS - 1)
    assert finished.count("delivery") == finished.counter("deliveries_own_host")
    assert [finished.counter(name) for name in ("malformed", "out_of_order", "deliveries_foreign")] == [
        0,
        0,
        0,
    ]


def test_a_slower_method_is_found_by_its_name(node_modules: Path, tmp_path: Path) -> None:
    server = Path(__file__).parent / "servers" / "jsonrpc.js"
    serving = f"node {server} {{port}}"
    load = ("-f", str(LOCUSTFILES / "jsonrpc.py"), "-u", "5", "-r", "5", "-t", "4s", "--warm-up", "0s")
    judged = ("--pairs", "3", "--judge", "getBook.p50", "--judge", "placeOrder.p50")
    with undisturbed():
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "wsload",
                "ab",
                "--a",
                f"{serving} 10",
                "--b",
                f"{serving} 60",
                *load,
                *judged,
            ],
            cwd=tmp_path,
            env={**os.environ, "NODE_PATH": str(node_modules), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = done.stdout.strip().splitlines()[0]
    assert verdict.startswith("SLOWER") and "getBook" in verdict and "placeOrder" not in verdict
    change = re.search(r"^getBook\.p50 +\S+ +\S+ +×([\d.]+) .* slower$", done.stdout, re.MULTILINE)
    assert change is not None and 3 < float(change[1]) < 6, done.stdout
