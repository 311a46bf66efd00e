"""Child processes: their environment, their output, and how they are ended with this process.

A `ModuleProcess` is part of wsload, and ends when the pipe to its standard input closes. A `Command` can be
anything: it gets its own process group, which a `Guard` ends even if this process is killed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Self

from wsload import watchdog
from wsload.errors import UsageError
from wsload.words import printable

STOP_TIMEOUT_S: Final = 10.0
"""A command that has not ended this long after SIGTERM gets SIGKILL."""
TAIL_LINES: Final = 12
MAX_ERRORS_BYTES: Final = 64 * 1024
_TAIL_BYTES: Final = 16 * 1024
_STEP_S: Final = 0.02
_OPERATORS: Final = frozenset(("&&", "||", "|", ";", "&", ">", ">>", "<"))
"""Shell operators, which hardly ever are meant as arguments of a program."""


def environment() -> dict[str, str]:
    """This process's environment, with this copy of wsload on Python's path."""
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def isolated_environment(home: Path) -> dict[str, str]:
    """The same, but without the user's Locust settings from variables or the home directory.

    Packages installed in the real home directory are still found.
    """
    kept = {name: value for name, value in environment().items() if not name.startswith("LOCUST_")}
    return {**kept, "HOME": str(home), "PYTHONUSERBASE": site.getuserbase()}


class ModuleProcess:
    """``python -m`` with these words: a part of wsload in its own process.

    It runs until `end`, or until this process is gone: the module must exit when its standard input closes. Works
    with and without gevent's patched ``subprocess``. ``output`` is the child's ``stdout``, as for `subprocess.Popen`.
    """

    def __init__(self, *words: str, output: int | IO[bytes]) -> None:
        # A file, because a pipe that nobody empties would eventually block the child.
        self._errors_file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by `end`
        self._errors = ""
        self._ending = False
        self._child = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=self._errors_file,
            env=environment(),
            start_new_session=True,  # Ctrl-C in the terminal reaches only this process, which ends the child
        )
        self.pid: int = self._child.pid
        self.output: IO[bytes] | None = self._child.stdout
        """The pipe from its standard output, if ``output`` was ``PIPE``."""

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        if self._errors_file.closed:
            return self._errors
        # pread, since the child writes where the file's own position is.
        return os.pread(self._errors_file.fileno(), MAX_ERRORS_BYTES, 0).decode(errors="replace").strip()

    @property
    def last_words(self) -> str:
        """The last line of `errors`."""
        return self.errors.rpartition("\n")[2].strip()

    def tell(self, line: bytes) -> None:
        """Writes to its standard input; does nothing if the child is gone."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(line)
            self._child.stdin.flush()

    def wait(self, timeout_s: float | None = None) -> int:
        """Waits until it has ended by itself; returns its exit code. Raises `subprocess.TimeoutExpired`."""
        code: int = self._child.wait(timeout_s)
        return code

    def end(self, patience_s: float) -> int:
        """Ends it, with SIGKILL if it does not exit within ``patience_s``; returns its exit code. Idempotent.

        A negative code is the signal that ended it.
        """
        child = self._child
        if not self._ending:
            # Set first: under gevent another greenlet may call this while this one waits.
            self._ending = True
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
            try:
                child.wait(patience_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            self._errors = self.errors
            self._errors_file.close()
        return self.wait()


def words_of(command: str, option: str) -> list[str]:
    """Splits a command like a shell, without expanding anything.

    Raises `UsageError`, naming the option, if it is empty, has an open quote, or means something to a shell only.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{option} {command!r}: can't be read ({error})") from None
    if not words:
        raise UsageError(f"{option}: an empty command")
    if words[0] in ("cd", "export", "source") or "=" in words[0] or not _OPERATORS.isdisjoint(words):
        raise UsageError(
            f"{option} {command!r}: commands run without a shell: use sh -c '…', or env NAME=VALUE … before the program"
        )
    return words


class Guard:
    """Makes sure that no child outlives this process, however it ends; one per experiment.

    A small watchdog process knows the children's process groups, and ends them when the pipe from this process
    closes, which happens even after SIGKILL.
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
        """Adds a process group that was started."""
        self._tell(group)

    def release(self, group: int) -> None:
        """Removes a process group that has ended."""
        self._tell(-group)

    def _tell(self, number: int) -> None:
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):  # somebody killed the watchdog; everything else still works
            self._child.stdin.write(f"{number}\n")
            self._child.stdin.flush()


class Command:
    """A running command whose output goes to a file; call `stop` in the end.

    Raises `UsageError`, naming ``what``, if the program can't be run, and `OSError` if the file can't be opened.
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
        cores: frozenset[int] = frozenset(),
    ) -> None:
        """``cores`` are those on which it and what it starts may run; empty for any."""
        self.log = log
        """The file with its stdout and stderr."""
        self._guard = guard
        with log.open("ab") as output:
            try:
                with _on(cores):
                    self._child = subprocess.Popen(
                        list(words),
                        cwd=cwd,
                        env=env,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        # Ctrl-C in the terminal reaches only this process, which ends the children in order.
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
        """Waits until it has ended by itself; returns whether it did within this time."""
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ends it and its process group, with SIGKILL if SIGTERM does not. Idempotent."""
        try:
            self._signal(signal.SIGTERM)
            self.wait(timeout_s)
        finally:  # even if a second Ctrl-C interrupts the wait
            self._signal(signal.SIGKILL)  # also ends what it left behind in its group
            self._child.wait()
            self._await_group()
            self._guard.release(self.pid)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """See the function `tail`."""
        return tail(self.log, lines)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for zombies
            os.killpg(self.pid, number)

    def _await_group(self) -> None:
        """Waits until the killed processes are gone, so that their ports are free."""
        deadline = time.monotonic() + 1.0
        with contextlib.suppress(ProcessLookupError, PermissionError):
            while time.monotonic() < deadline:
                os.killpg(self.pid, 0)
                time.sleep(_STEP_S)


@contextlib.contextmanager
def _on(cores: frozenset[int]) -> Iterator[None]:
    """Keeps this thread on these cores, which the children that it starts inherit; empty for no change."""
    if not cores or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a text file, without control characters; empty if there is no such file."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
            text = file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
    found = [printable(line).rstrip() for line in text.splitlines()]
    return "\n".join([line for line in found if line][-lines:])
