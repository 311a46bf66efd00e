"""Children that never outlive us: each in a process group of its own, ended by that group's id."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from wsload.commands.ab import watchdog
from wsload.errors import UsageError

STOP_TIMEOUT_S: Final = 10.0
"""A child that SIGTERM has not ended within this time gets SIGKILL."""
TAIL_LINES: Final = 12
_TAIL_BYTES: Final = 16 * 1024
_STEP_S: Final = 0.02


def words_of(command: str, option: str) -> list[str]:
    """A command as typed, split as a shell would, with nothing expanded.

    Raises `UsageError` naming the option for one that is empty or has an open quote.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{option} {command!r}: can't be read ({error})") from None
    if not words:
        raise UsageError(f"{option}: an empty command")
    return words


class Guard:
    """Sees to it that no child outlives this process, however it ends; one for an experiment.

    A small process of its own knows the children's groups, and ends them when the pipe from here
    closes, which the kernel does even after SIGKILL.
    """

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        self._child.wait()

    def watch(self, group: int) -> None:
        """The group was started."""
        self._tell(group)

    def release(self, group: int) -> None:
        """The group was ended."""
        self._tell(-group)

    def _tell(self, number: int) -> None:
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):  # a watchdog that somebody killed: all the rest still works
            self._child.stdin.write(f"{number}\n")
            self._child.stdin.flush()


class Child:
    """A running command whose output goes to a file; `stop` it.

    Raises `UsageError` naming ``what`` when the program can't be run.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        what: str,
        log: Path,
        guard: Guard,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        """What it wrote to stdout and stderr."""
        self._guard = guard
        try:
            with log.open("ab") as output:
                self._child = subprocess.Popen(
                    list(words),
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C in the terminal is for us: we end the children in order.
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:  # ValueError: a null byte
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{what}: can't run {words[0]!r} ({reason})") from None
        self.pid: int = self._child.pid
        """Also the id of its process group."""
        guard.watch(self.pid)

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._child.poll()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended by itself within this time."""
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ends it and all that it started, by SIGKILL where SIGTERM does not; allowed again."""
        try:
            self._signal(signal.SIGTERM)
            self.wait(timeout_s)
        finally:  # also when a second Ctrl-C cuts the patience short
            self._signal(signal.SIGKILL)  # it, and what it left behind in its group
            self._child.wait()
            self._await_group()
            self._guard.release(self.pid)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its output, without control characters; empty where there is none."""
        return tail(self.log, lines)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for zombies
            os.killpg(self.pid, number)

    def _await_group(self) -> None:
        """Until the kernel has taken the killed down: a port they held is free then."""
        deadline = time.monotonic() + 1.0
        with contextlib.suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < deadline:
                os.killpg(self.pid, 0)
                time.sleep(_STEP_S)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a text file, without control characters; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
            text = file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
    found = ["".join(c if c.isprintable() else " " for c in line).rstrip() for line in text.splitlines()]
    return "\n".join([line for line in found if line][-lines:])
