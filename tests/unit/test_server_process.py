"""The server as a process: how it starts, what it refuses, and that it always ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from wsload.errors import UsageError, WsloadError
from wsload.server.process import ServerProcess
from wsload.server.run import is_loopback

LIMIT_S = 20
SERVE = (sys.executable, "-m", "wsload", "serve")


def wsload(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wsload", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--fault", "dely=5ms"], "--fault 'dely=5ms': no such fault"),
        (["--port", "70000"], "'--port'"),
        (["--port", "http"], "'--port'"),
        (["--prot", "1"], "No such option: --prot"),
        (["--host", "no-such-host.invalid"], "--host 'no-such-host.invalid': no such host"),
        (["--host", "x" * 70], "no such host"),
        (["--host", "192.0.2.1", "--port", "0"], "--host 192.0.2.1 --port 0: "),
        (
            ["--port", "0", "--truth", "/no/such/directory/truth"],
            "--truth '/no/such/directory/truth': No such",
        ),
        (["--tls-key", "key.pem"], "--tls-key: needs --tls-cert"),
        (["--tls-cert", "/no/such.pem"], "--tls-cert/--tls-key /no/such.pem: No such file"),
        (["--tls-cert", __file__], "--tls-cert/--tls-key"),
        (["surplus"], "surplus"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(options: list[str], complaint: str) -> None:
    ended = wsload("serve", *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    lines = [line for line in ended.stderr.splitlines() if "is not a loopback address" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("wsload: ")
    assert complaint in lines[0]


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = wsload("serve", "--port", port)
    assert ended.returncode == 2
    assert ended.stderr == (
        f"wsload: --host 127.0.0.1 --port {port}: the port is in use; choose another, or 0 for a free one\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_truth_file_that_fills_the_disk_ends_the_server() -> None:
    with ServerProcess("--truth", "/dev/full") as server:
        assert server.wait(LIMIT_S) == 2
        assert server.stop() == 2
    assert server.errors == "wsload: --truth '/dev/full': No space left on device"


def test_help_and_version_are_no_mistakes() -> None:
    bare, long, version = wsload(), wsload("--help"), wsload("--version")
    assert bare.returncode == long.returncode == version.returncode == 0
    assert bare.stdout == long.stdout
    assert "serve" in bare.stdout
    assert version.stdout.startswith("wsload ")
    assert "stall=200ms/2s" in wsload("serve", "--help").stdout


def test_the_command_line_loads_neither_locust_nor_gevent_nor_a_server() -> None:
    program = (
        "import sys, wsload.commands.cli; "
        "sys.exit(' '.join({'locust', 'gevent', 'websockets', 'uvloop'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.strip() == ""


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
    ],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_sigterm_closes_with_1001_and_tells_the_totals() -> None:
    child = subprocess.Popen(
        [*SERVE, "--port", "0", "--account"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        url = child.stdout.readline().removeprefix("wsload serve: ").strip()
        with connect(url, subprotocols=["json"], proxy=None) as guest:
            guest.recv()
            child.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosedOK) as closed:
                guest.recv()
        out, err = child.communicate(timeout=LIMIT_S)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "the server is stopping")
    assert (child.returncode, err) == (0, "")
    assert json.loads(out)["account"]["opens"] == 1


def test_sigint_is_an_orderly_end_too() -> None:
    with ServerProcess() as server:
        os.kill(server.pid, signal.SIGINT)
        assert server.wait(LIMIT_S) == 0
        assert server.stop() == 0
    assert server.account is not None
    assert server.errors == ""


def test_the_end_of_standard_input_ends_it() -> None:
    command = [*SERVE, "--port", "0", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        assert child.poll() is None
        child.stdin.write(b"what is written there is of no interest")
        child.stdin.close()
        assert child.wait(LIMIT_S) == 0


def test_it_does_not_outlive_a_parent_that_is_killed() -> None:
    program = (
        "import sys; from wsload.server.process import ServerProcess; "
        "server = ServerProcess(); print(server.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        server = os.pidfd_open(pid)
        parent.kill()
        parent.wait()
    try:
        # Readable once the process has ended.
        poller = select.poll()
        poller.register(server, select.POLLIN)
        assert poller.poll(LIMIT_S * 1000)
    finally:
        os.close(server)


def test_a_client_that_never_speaks_does_not_keep_it_from_ending() -> None:
    with ServerProcess() as server:
        host, port = server.url.removeprefix("ws://").rstrip("/").split(":")
        with socket.create_connection((host, int(port))):
            assert server.stop() == 0


def test_a_server_that_refuses_its_options_says_why() -> None:
    with pytest.raises(UsageError, match=r"^--fault 'x': no such fault"):
        ServerProcess("--fault", "x")


def test_a_server_that_does_not_start_in_time_is_stopped() -> None:
    with pytest.raises(WsloadError, match=r"did not listen within 0\.0\d s: it said nothing"):
        ServerProcess(timeout_s=0.01)


def test_a_server_that_fails_to_start_is_told_by_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/no/such/python")
    with pytest.raises(WsloadError, match=r"the chat server ended with exit code 1: \S") as caught:
        ServerProcess()
    assert not isinstance(caught.value, UsageError)


def test_a_server_that_does_not_stop_is_killed() -> None:
    with ServerProcess() as server:
        os.kill(server.pid, signal.SIGSTOP)
        assert server.stop(timeout_s=0.1) == -signal.SIGKILL
    assert server.account is None


def test_a_server_that_dies_is_not_running_and_has_no_account() -> None:
    with ServerProcess() as server:
        assert server.running
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait(LIMIT_S) == -signal.SIGKILL
        assert not server.running
        assert server.stop() == -signal.SIGKILL
        assert server.account is None


def test_it_listens_on_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with ServerProcess("--host", "::1") as server:
        assert server.url.startswith("ws://[::1]:")
        with connect(server.url, subprotocols=["json"], proxy=None) as guest:
            assert json.loads(guest.recv())["type"] == "id"


def test_it_works_where_gevent_has_patched_everything(tmp_path: Path) -> None:
    program = """
from gevent import monkey
monkey.patch_all()
import gevent
from wsload.server.process import ServerProcess
turns = 0
def count():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.001)
gevent.spawn(count)
with ServerProcess() as server:
    url = server.url
# Starting took a good part of a second, in which the other greenlet had its turns.
print(url.startswith("ws://127.0.0.1:"), turns > 10, server.account is not None, server.stop())
"""
    script = tmp_path / "patched.py"
    script.write_text(program)
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (ended.stdout, ended.stderr) == ("True True True 0\n", "")
