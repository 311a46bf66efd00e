"""What is printed and nobody reads, what can't be written, what can't be spelt: the run goes on and is judged."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.locust_run import ECHO, FILES
from support.serving import Serving, echo

from wsload.children import isolated_environment

F_SETPIPE_SZ = 1031
SMALLEST = 4096
LIMIT_S = 60


def locust(directory: Path, host: str, *more: str, **settings: object) -> tuple[int, float]:
    """Its exit code, and how long it took."""
    command = [sys.executable, "-m", "locust", "-f", ECHO, "--headless", "-u", "3", "-r", "3", "-t", "3s"]
    environment = {**isolated_environment(directory), "LOCUST_WS_ALLOW_INVALID": "true"}
    environment |= settings.pop("env", {})  # type: ignore[call-overload]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--host", host, *more],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT_S,
        check=False,
        **settings,  # type: ignore[call-overload]
    )
    return done.returncode, time.monotonic() - began


def stored(directory: Path) -> set[str]:
    (run,) = (directory / "results").iterdir()
    return {path.name for path in run.iterdir()}


@contextlib.contextmanager
def small_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, SMALLEST)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("which", ["stdout", "stderr", "both"])
def test_a_pipe_that_nobody_reads_does_not_hold_up_the_run(
    tmp_path: Path, serving: Serving, which: str
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    with small_pipe() as (_, pipe), open(tmp_path / "log", "w+") as log:
        streams = {"stdout": log, "stderr": log} | dict.fromkeys(
            ("stdout", "stderr") if which == "both" else (which,), pipe
        )
        code, took_s = locust(tmp_path, host, "--ws-json-progress", "--ws-check", "lost < 1", **streams)
        log.seek(0)
        said = log.read()
    assert code == 0
    assert took_s < LIMIT_S - 10
    assert stored(tmp_path) >= set(FILES)
    assert "Traceback" not in said
    if which == "stdout":
        assert "of output was lost" in said or os.path.getsize(tmp_path / "log") < SMALLEST


def test_what_is_read_late_is_read_whole(tmp_path: Path, serving: Serving) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    reader = "import sys, time; time.sleep(6); sys.stdout.write(sys.stdin.read())"
    with open(tmp_path / "read", "wb") as found:
        late = subprocess.Popen([sys.executable, "-c", reader], stdin=subprocess.PIPE, stdout=found)
        assert late.stdin is not None
        fcntl.fcntl(late.stdin, F_SETPIPE_SZ, SMALLEST)
        code, _ = locust(tmp_path, host, stdout=late.stdin, stderr=late.stdin)
        late.stdin.close()
        assert late.wait(20) == 0
    text = (tmp_path / "read").read_text("utf-8")
    assert code == 0
    assert text.startswith("[") and text.rstrip().splitlines()[-1].startswith(("Results: ", "-", " "))
    assert "Response time percentiles" in text and "Results: results/" in text


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_under_standard_output_is_said_in_one_line(tmp_path: Path, serving: Serving) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    with open("/dev/full", "w") as full, open(tmp_path / "log", "w+") as log:
        code, _ = locust(tmp_path, host, stdout=full, stderr=log)
        log.seek(0)
        said = log.read()
    assert code == 0
    assert said.count("wsload: can't write the output: No space left on device") == 1
    assert "Traceback" not in said
    assert stored(tmp_path) >= set(FILES)


def test_a_dumb_terminal_in_the_language_c_can_be_told_everything(tmp_path: Path, serving: Serving) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    plain = {"TERM": "dumb", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
    with open(tmp_path / "out", "w") as out, open(tmp_path / "log", "w") as log:
        code, _ = locust(tmp_path, host, "--ws-build", "bäd", env=plain, stdout=out, stderr=log)
    said, printed = (tmp_path / "log").read_bytes(), (tmp_path / "out").read_bytes()
    assert code == 0
    assert b"Traceback" not in said
    assert printed.isascii() and b"\x1b" not in printed + said
    assert b"message" in printed
    for command in ("list", "report --format terminal", "report --format markdown"):
        found = subprocess.run(
            [sys.executable, "-m", "wsload", *command.split(), *((next((tmp_path / "results").iterdir()),)
             if "report" in command else ())],
            cwd=tmp_path,
            env={**isolated_environment(tmp_path), **plain},
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        assert found.stdout.isascii() or "markdown" in command  # a document, which is UTF-8
        assert b"Traceback" not in found.stderr
