"""Runs the real ``locust`` command in a directory of its own, and reads what it left there."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support.waiting import until
from wsload.children import isolated_environment

ROOT = Path(__file__).parents[2]
CHAT = ROOT / "locustfiles" / "chat.py"
ECHO = ROOT / "locustfiles" / "echo.py"
LOCUSTFILES = Path(__file__).parent / "locustfiles"
"""Those that only tests use."""

FILES = ("run.json", "histograms.hlog", "counters.jsonl", "summary.json")
"""What every run that ended leaves, whatever happened to it."""
TIME_LIMIT_S = 60.0
"""A locust that has not ended by then is killed, and the test has failed."""


def own_ports() -> tuple[str, ...]:
    """Options that give a master a port of its own: Locust has no way of asking for any free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    return "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port


def processes(number: int) -> tuple[str, ...]:
    """Options for so many processes: none for one."""
    return ("--processes", str(number), *own_ports()) if number > 1 else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the last table that Locust printed."""

    requests: int
    failures: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A locust that ended by itself."""

    returncode: int
    stdout: str
    stderr: str
    directories: tuple[Path, ...]
    """The results directories it left."""

    @property
    def directory(self) -> Path:
        """The results directory of its only run."""
        assert len(self.directories) == 1, f"{len(self.directories)} results directories\n{self.stderr}"
        return self.directories[0]

    @functools.cached_property
    def run(self) -> dict[str, Any]:
        """run.json."""
        return json.loads((self.directory / "run.json").read_bytes())

    @functools.cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json."""
        return json.loads((self.directory / "summary.json").read_bytes())

    @functools.cached_property
    def counts(self) -> list[dict[str, Any]]:
        """The lines of counters.jsonl."""
        return [json.loads(line) for line in (self.directory / "counters.jsonl").read_bytes().splitlines()]

    def counter(self, name: str) -> int:
        """A counter of the summary; 0 where it is absent."""
        return self.summary["counters"].get(name, 0)

    def count(self, metric: str) -> int:
        """How many values of a metric the summary has."""
        return self.summary["metrics"].get(metric, {"count": 0})["count"]

    @property
    def failures(self) -> dict[str, int]:
        """The summary's failures, ``what: kind`` by number."""
        return self.summary["failures"]

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """Locust's own last table, by name; its CSV files are up to a second behind at the end."""
        table = self.stderr.rpartition("Type     Name   ")[0].rpartition("Type     Name   ")[2]
        found = re.findall(r"^(?:\S+)? +(\S.*?) +(\d+) +(\d+)\(", table, re.MULTILINE)
        return {
            name: Row(requests=int(requests), failures=int(failures)) for name, requests, failures in found
        }

    @functools.cached_property
    def errors(self) -> dict[str, int]:
        """Locust's own error report without the failures' details: ``what: kind`` by number."""
        report = self.stderr.rpartition("Error report")[2]
        found = re.findall(r"^(\d+) +WS (\S+): (.*?)(?:: .*)?$", report, re.MULTILINE)
        return {f"{what}: {kind.rstrip()}": int(number) for number, what, kind in found}


class LocustRun:
    """A ``locust`` command at work; call `finish` or `kill`."""

    def __init__(
        self,
        *arguments: str | Path,
        cwd: Path,
        env: dict[str, str] | None = None,
        limit_s: float = TIME_LIMIT_S,
        within: Sequence[str] = (),
    ) -> None:
        """``within`` is a command that runs another, given after it."""
        self._cwd = cwd
        self._words = [str(argument) for argument in arguments]
        self._child = subprocess.Popen(
            [*within, sys.executable, "-m", "locust", *self._words],
            cwd=cwd,
            # Tests share their machine: that the load generator was late there must not be the exit code.
            env={**isolated_environment(cwd), "LOCUST_WS_ALLOW_INVALID": "true", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid: int = self._child.pid
        self._said = threading.Condition()
        self._text = {"out": "", "err": ""}
        assert self._child.stdout is not None and self._child.stderr is not None
        self._open_streams = 2
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream))
            for name, stream in (("out", self._child.stdout), ("err", self._child.stderr))
        ]
        for reader in self._readers:
            reader.start()
        self._expired = False
        self._timer = threading.Timer(limit_s, self._expire)
        self._timer.start()

    def wait_for(self, pattern: str, *, timeout_s: float = 20.0) -> re.Match[str]:
        """The first match of a regular expression in what it prints on stderr."""
        found: list[re.Match[str]] = []

        def said() -> bool:
            match = re.search(pattern, self._text["err"])
            if match:
                found.append(match)
            return bool(match) or self._ended

        with self._said:
            assert self._said.wait_for(said, timeout_s) and found, f"no {pattern!r} in:\n{self._text['err']}"
        return found[0]

    def wait_for_intervals(self, enough: int) -> Path:
        """The run's directory, once this many intervals are in its counters.jsonl."""
        directory = self._cwd / self.wait_for(r"Results go to (\S+)")[1]
        counts = directory / "counters.jsonl"
        until(lambda: counts.read_bytes().count(b"\n") >= enough, what=f"{enough} intervals in {counts}")
        return directory

    def signal(self, number: signal.Signals) -> None:
        """Sends it to locust and its workers, as a terminal does."""
        os.killpg(self.pid, number)

    def finish(self) -> Finished:
        """Waits for its end; killed by the time limit is a failed test."""
        returncode = self._child.wait()
        self._join()
        words = " ".join(self._words)
        assert not self._expired, f"still running at the time limit: locust {words}\n{self._text['err']}"
        results = self._cwd / "results"
        return Finished(
            returncode=returncode,
            stdout=self._text["out"],
            stderr=self._text["err"],
            directories=tuple(sorted(results.iterdir())) if results.is_dir() else (),
        )

    @property
    def _ended(self) -> bool:
        return not self._open_streams

    def _read(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._said:
                    self._text[name] += line
                    self._said.notify_all()
        with self._said:
            self._open_streams -= 1
            self._said.notify_all()

    def _expire(self) -> None:
        self._expired = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def kill(self) -> None:
        """Ends it and its workers the hard way, if they still run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._join()

    def _join(self) -> None:
        self._timer.cancel()
        self._child.wait()
        for reader in self._readers:
            reader.join()
        self._timer.join()
