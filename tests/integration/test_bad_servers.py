"""Whatever a server does: a named failure row and counter, and a results directory. Never a flood or a hang."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support import hostile
from support.certificates import Certificates
from support.locust_run import FILES, Finished, LocustRun
from support.serving import Serving

LOCUSTFILE = Path(__file__).parents[1] / "support" / "locustfiles" / "visitors.py"
TIMES = ("--ws-open-timeout", "500ms", "--ws-message-timeout", "500ms", "--ws-drain", "200ms")
MAX_LINES = 120
"""So much Locust and wsload may say in a run of a few seconds, whatever goes wrong."""


def visit(directory: Path, servers: Mapping[str, str], *arguments: str | Path) -> Finished:
    """Has one user each visit these servers for three seconds."""
    users = len(servers)
    run = LocustRun(
        *("-f", LOCUSTFILE, "--headless", "-u", str(users), "-r", str(users), "-t", "3s", *TIMES, *arguments),
        cwd=directory,
        env={"TEST_SERVERS": json.dumps(servers)},
    )
    return run.finish()


def assert_sound(finished: Finished) -> None:
    """The run ended as it should: whole, quiet, and at one with Locust's own table."""
    assert "Traceback" not in finished.stderr
    assert finished.stderr.count("\n") < MAX_LINES
    assert {path.name for path in finished.directory.iterdir()} >= set(FILES)
    assert finished.run["ended_at"] is not None
    assert finished.returncode == (1 if finished.failures else 0)
    assert finished.errors == finished.failures
