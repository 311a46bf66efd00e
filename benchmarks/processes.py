"""Processes being measured: started, observed through the kernel's accounting, and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil

from benchmarks.tally import Tally
from wsload.children import isolated_environment, tail

START_TIMEOUT_S: Final = 60.0
ROOT: Final = Path(__file__).parent.parent


class Failed(Exception):
    """A case could not be measured; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """PEM files of a self-signed certificate for 127.0.0.1."""

    certificate: Path
    key: Path


class Process:
    """A command in its own process group with its output in a file.

    At the end of the ``with`` block, it and its descendants are killed.
    """

    def __init__(
        self,
        *command: object,
        directory: Path,
        name: str,
        variables: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self.name = name
        self.output = directory / f"{name}.out"
        with self.output.open("wb") as output:
            self._child = subprocess.Popen(
                [str(word) for word in command],
                cwd=directory,
                # Both report their use unless told not to.
                env={
                    **isolated_environment(directory),
                    "ARTILLERY_DISABLE_TELEMETRY": "true",
                    "K6_NO_USAGE_REPORT": "true",
                    **(variables or {}),
                },
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid: Final = self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        ended = self._child.poll() is not None
        helpers = [] if ended else psutil.Process(self.pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
        for helper in helpers:  # Erlang's have process groups of their own.
            with contextlib.suppress(psutil.NoSuchProcess):
                helper.kill()

    def check(self) -> None:
        """Raises `Failed`, with its last line of output, if the process has ended."""
        if self._child.poll() is not None:
            raise Failed(f"{self.name} ended with {self._child.returncode}: {self.last_words()}")

    def wait(self, timeout_s: float) -> int:
        """Waits for its end; returns its exit code."""
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {timeout_s:g} s: {self.last_words()}") from None

    def last_words(self) -> str:
        return tail(self.output, 1) or "it wrote nothing"

    @property
    def cpu_ns(self) -> int:
        """CPU time of all its threads so far, user and system, according to the kernel."""
        if sys.platform == "linux":
            # The clock of clock_getcpuclockid(3): exact to the ns, while /proc counts ticks of 10 ms.
            return time.clock_gettime_ns((~self.pid << 3) | 2)
        times = psutil.Process(self.pid).cpu_times()
        return int((times.user + times.system) * 1e9)

    def memory_bytes(self) -> int:
        """Memory that is unique to this process (USS)."""
        return int(psutil.Process(self.pid).memory_full_info().uss)


class EchoServer(Process):
    """An echo server: its ``url``, and its ``counts`` (see `benchmarks.tally`)."""

    def __init__(
        self, directory: Path, *, certificate: Certificate | None = None, deflate: bool = False
    ) -> None:
        name = "deflate-server" if deflate else "echo-server-tls" if certificate else "echo-server"
        shared = directory / f"{name}.tally"
        self.counts = Tally(shared).counts
        files = (certificate.certificate, certificate.key) if certificate else ()
        module = "benchmarks.deflate_server" if deflate else "benchmarks.echo_server"
        super().__init__(*python(module, shared, *files), directory=directory, name=name)
        until(lambda: self.output.read_text().endswith("\n"), "the echo server listens", self)
        scheme = "wss" if certificate else "ws"
        self.url: Final = f"{scheme}://127.0.0.1:{self.output.read_text().split()[0]}/"


class AccountServer(Process):
    """The server of `benchmarks.account_server`: its ``url``, and its account."""

    def __init__(self, directory: Path) -> None:
        self._account = directory / "account.json"
        command = python("benchmarks.account_server", self._account)
        super().__init__(*command, directory=directory, name="account-server", stdin=subprocess.PIPE)
        until(lambda: self.output.read_text().endswith("\n"), "the server listens", self)
        self.url: Final = f"ws://127.0.0.1:{self.output.read_text().split()[0]}/"

    def account(self) -> dict[str, Any]:
        """Ends it; how many answers it gave (``count``) and their percentiles (``ms``)."""
        self._child.communicate()
        found: dict[str, Any] = json.loads(self._account.read_bytes())
        return found


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def python(module: str, *arguments: object) -> tuple[object, ...]:
    """A command that runs a module with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


def until(
    condition: Callable[[], object], what: str, *processes: Process, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Waits until the condition holds; raises `Failed` if it doesn't, or if one of these processes ends."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        for process in processes:
            process.check()
        if time.monotonic() > deadline:
            raise Failed(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)
