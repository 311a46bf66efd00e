"""The main job against a chat server of another make: JavaScript, on the npm package ``ws``, over TLS."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Certificates
from support.locust_run import CHAT, Finished, LocustRun
from support.undisturbed import undisturbed

HERE = Path(__file__).parent
USERS = 20
STOP_TIMEOUT_S = 10

pytestmark = pytest.mark.xdist_group("timing")


class JsServer:
    """``server.js`` at work; ``stop`` returns its account."""

    def __init__(self, node_modules: Path, certificates: Certificates) -> None:
        self._process = subprocess.Popen(
            ["node", HERE / "server.js", certificates.certificate, certificates.key],
            env={**os.environ, "NODE_PATH": str(node_modules)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("listening "), said
        self.port = int(said.split()[1])

    def stop(self) -> dict[str, Any]:
        self._process.terminate()
        out, _ = self._process.communicate(timeout=STOP_TIMEOUT_S)
        return json.loads(out)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "deflate"])
def test_twenty_users_without_a_failure(
    start_locust: Callable[..., LocustRun], node_modules: Path, certificates: Certificates, compression: bool
) -> None:
    # A busy machine makes the load generator late, which is a failure too, but not one between the two.
    with undisturbed():
        server = JsServer(node_modules, certificates)
        run = start_locust(
            *("-f", CHAT, "--headless", "-u", str(USERS), "-r", str(USERS), "-t", "5s"),
            *("--host", f"wss://localhost:{server.port}", "--ws-ca-file", certificates.authority),
            *(("--ws-compression",) if compression else ()),
        )
    try:
        finished = run.finish()
        account = server.stop()
    finally:
        server.kill()
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.failures == {}
    assert finished.counter("opens") == account["opens"] == USERS
    assert finished.counter("logins") == finished.count("login") == account["logins"] == USERS
    assert finished.count("message") + finished.counter("lost") == account["posts"] >= 2 * USERS
    assert finished.counter("lost") == 0
    assert finished.rows["message"].requests == finished.count("message")
    assert account["closes"] == {"1000": USERS}
    assert account["ignored"] == account["renamed"] == 0
    # What is sent to a user that is leaving arrives nowhere.
    arrived = finished.count("message") + finished.count("delivery")
    assert 0.9 * account["delivered"] <= arrived <= account["delivered"] <= account["posts"] * USERS
    assert finished.counter("unknown_types") == USERS
    assert finished.counter("malformed") == finished.counter("binary") == 0
    for phase in ("open.dns", "open.tcp", "open.tls", "open.upgrade"):
        assert finished.count(phase) == USERS


def test_an_untrusted_certificate_opens_nothing_unless_told_to(
    run_locust: Callable[..., Finished], node_modules: Path, certificates: Certificates
) -> None:
    server = JsServer(node_modules, certificates)
    options = ("-f", CHAT, "--headless", "-t", "2s", "--host", f"wss://localhost:{server.port}")
    try:
        refused = run_locust(*options, "--ws-results", "strict")
        insecure = run_locust(*options, "--ws-insecure")
    finally:
        server.kill()
    assert refused.returncode == 5  # nothing was measured
    assert refused.errors.keys() == {"open: tls"}
    assert insecure.returncode == 0
    assert insecure.count("login") == 1
    assert [warning["name"] for warning in insecure.run["warnings"]].count("tls-not-verified") == 1
    assert "certificates were not verified" in insecure.stdout
