"""The probe as a process, against the embedded server: its figures, its manners, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Certificates
from support.locust_run import ECHO, Finished
from support.waiting import until

from wsload.exit_codes import ExitCode
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.process import ProbeProcess
from wsload.protocols.chat.probe.result import ProbeResult
from wsload.server.process import ServerProcess

MS = 1_000_000
LINUX = sys.platform == "linux"

Start = Callable[..., ProbeProcess]

PROBE = "wsload.protocols.chat.probe"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts probes with these options; what still runs at the end is stopped."""
    probes: list[ProbeProcess] = []

    def start(url: str, **options: Any) -> ProbeProcess:
        probes.append(ProbeProcess(ProbeOptions(url=url, **options)))
        return probes[-1]

    yield start
    for probe in probes:
        probe.stop()


def until_seen(probe: ProbeProcess, number: int) -> list[ProbeResult]:
    """Returns once so many echoes were reported; all that was said till then."""
    said: list[ProbeResult] = []

    def enough() -> bool:
        said.extend(probe.read())
        return sum(part.echoed for part in said) >= number

    until(enough, timeout_s=40, what=f"{number} echoes")
    return said


def test_a_known_delay_is_what_the_probe_sees(start: Start) -> None:
    with ServerProcess("--fault", "delay=5ms") as server:
        probe = start(server.url)
        until_seen(probe, 120)
        result = probe.stop()
    edges, _ = result.histogram.buckets()
    assert edges.min() >= 5 * MS, "a sample below the server's own delay"
    assert 5 * MS <= result.histogram.percentile(50) < 6 * MS
    assert result.ended and result.problem == "" and result.failures == 0
    assert server.account is not None
    assert result.sent == result.echoed == server.account["posts"] == server.account["echoed"]
    if LINUX:
        assert result.kernel >= 0.95 * result.echoed, result.stamps


def test_over_tls_the_records_are_stamped(start: Start, certificates: Certificates) -> None:
    options = ("--tls-cert", str(certificates.certificate), "--tls-key", str(certificates.key))
    with ServerProcess(*options) as server:
        probe = start(server.url, ca_file=str(certificates.authority))
        until_seen(probe, 40)
        result = probe.stop()
        assert result.problem == "" and result.lost == 0
        if LINUX:
            assert result.kernel >= 0.8 * result.echoed, result.stamps
        distrustful = start(server.url)
        until(lambda: any("CERTIFICATE_VERIFY_FAILED" in part.problem for part in distrustful.read()))
        assert distrustful.stop().opens == 0


def test_what_it_missed_is_counted(start: Start) -> None:
    with ServerProcess("--fault", "drop=20%", "--fault", "duplicate=20%") as server:
        probe = start(server.url, rate=100.0, message_timeout_s=0.3, drain_s=1.0)
        until_seen(probe, 200)
        result = probe.stop()
    assert server.account is not None
    assert (result.sent, result.echoed, result.lost) == tuple(
        server.account[name] for name in ("posts", "echoed", "dropped")
    )


def test_a_server_that_goes_and_comes_back_is_joined_again(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    with ServerProcess("--port", port) as server:
        probe = start(server.url)
        until_seen(probe, 20)
    with ServerProcess("--port", port):
        until_seen(probe, 20)
        result = probe.stop()
    assert result.opens == 2 and result.failures >= 1 and result.unsent > 0
    assert result.sent == result.echoed + result.lost


def test_two_probes_share_a_room_and_know_their_own(start: Start) -> None:
    with ServerProcess() as server:
        probes = [start(server.url, rate=50.0) for _ in range(2)]
        for probe in probes:
            until_seen(probe, 50)
        results = [probe.stop() for probe in probes]
    assert server.account is not None and server.account["renamed"] == 1
    assert sum(result.echoed for result in results) == server.account["echoed"]
    assert all(result.lost == 0 for result in results)


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with ServerProcess() as server:
        code = (
            "import time; from wsload.protocols.chat.probe.process import *\n"
            f"probe = ProbeProcess(ProbeOptions(url={server.url!r})); print(probe.pid, flush=True)\n"
            "time.sleep(600)"
        )
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.stdout.close()
        os.kill(pid, 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Whether the process does anything still: one that nobody waits for stays in the table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(start: Start, number: signal.Signals) -> None:
    with ServerProcess() as server:
        probe = start(server.url)
        until_seen(probe, 20)
        os.kill(probe.pid, number)
        until(lambda: not probe.running)
        result = probe.stop()
        assert result.ended and result.lost == 0
        assert probe.stop() == result and probe.read() == []


def test_a_killed_probe_keeps_what_it_said(start: Start) -> None:
    with ServerProcess() as server:
        probe = start(server.url)
        said = until_seen(probe, 20)
        os.kill(probe.pid, signal.SIGKILL)
        until(lambda: not probe.running)
        result = probe.stop()
    assert not result.ended and "-9" in result.problem
    assert result.echoed >= sum(part.echoed for part in said)


def test_a_users_mistake_is_one_line(start: Start) -> None:
    probe = start("http://127.0.0.1:1/")
    until(lambda: not probe.running)
    result = probe.stop()
    assert not result.ended
    assert result.problem == "the probe's URL can't be read, or is neither ws:// nor wss://"


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_its_secrets_are_in_no_list_of_processes(start: Start) -> None:
    with ServerProcess() as server:
        probe = start(f"{server.url}?token=s3cret", headers=(("Authorization", "Bearer s3cret"),))
        until_seen(probe, 1)
        for listing in ("cmdline", "environ"):
            assert b"s3cret" not in Path(f"/proc/{probe.pid}/{listing}").read_bytes()
        assert probe.stop().problem == ""


def test_it_can_be_run_by_hand() -> None:
    with ServerProcess() as server:
        by_hand = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "wsload.protocols.chat.probe",
                "--url",
                server.url,
                "--rate",
                "50",
                "--name",
                "me",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert by_hand.stdout is not None
        first = ProbeResult.from_json(by_hand.stdout.readline())
        rest, _ = by_hand.communicate()
        assert by_hand.returncode == 0
        assert first.sent > 0 and ProbeResult.from_json(rest.splitlines()[-1]).ended


def test_it_works_where_gevent_has_patched_the_process() -> None:
    code = (
        "import gevent.monkey; gevent.monkey.patch_all()\n"
        "import sys, time; from wsload.protocols.chat.probe.process import *\n"
        "probe, seen, beats = ProbeProcess(ProbeOptions(url=sys.argv[1])), 0, []\n"
        "gevent.spawn(lambda: [beats.append(time.sleep(0.01)) for _ in range(100000)])\n"
        "while seen < 20: time.sleep(0.05); seen += sum(part.echoed for part in probe.read())\n"
        "result = probe.stop()\n"
        "print(result.ended, result.sent == result.echoed, len(beats) > 20, repr(result.problem))"
    )
    with ServerProcess() as server:
        done = subprocess.run(
            [sys.executable, "-c", "import gevent\n" + code, server.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stdout == "True True True ''\n", done.stderr


def test_a_run_whose_probe_is_refused_leaves_no_directory(run_locust: Callable[..., Finished]) -> None:
    """It would be shown as a run that was killed."""
    finished = run_locust(*("-f", ECHO, "--headless", "-t", "5s", "--host", "ws://127.0.0.1:1", "--ws-probe"))
    assert finished.returncode == ExitCode.USAGE
    assert "no user class provides a probe" in finished.stderr
    assert finished.directories == ()
