"""The chat server as a child process: started, waited for, and stopped with its parent."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final, NoReturn, Self

import wsload
from wsload.errors import UsageError, WsloadError
from wsload.server.options import READY_PREFIX
from wsload.words import span

READY_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 10.0
MAX_ERRORS_BYTES: Final = 64 * 1024


class ServerProcess:
    """``python -m wsload serve`` on a free loopback port, with these further options.

    It runs from construction until `stop`, or until this process is gone, however it went: the
    child ends when the pipe to its standard input does. Works alike where gevent has patched
    ``subprocess`` and ``select``.

    ``url`` is where it listens, ``pid`` its process id. Raises `UsageError` when the server refused
    its options, `WsloadError` when it did not start for another reason, with its own words.
    """

    def __init__(self, *options: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        # A file, since a pipe that nobody empties would block the child one day.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by `stop`
        self._output = b""
        self._stopping = False
        command = [sys.executable, "-m", "wsload", "serve", "--port", "0", "--until-eof", "--account"]
        self._child = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            # Ctrl-C in the terminal is for the parent, which stops the server when it is done with it.
            start_new_session=True,
        )
        self.pid: int = self._child.pid
        self.account: dict[str, int] | None = None
        """The server's totals, once it was stopped in order."""
        self.errors = ""
        """What it wrote to stderr, once it was stopped."""
        try:
            self.url = self._await_url(timeout_s)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def wait(self, timeout_s: float | None = None) -> int:
        """The exit code, once the server has ended by itself.

        Raises `subprocess.TimeoutExpired` when that takes longer than the time given.
        """
        code: int = self._child.wait(timeout_s)
        return code

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Stops the server, by SIGKILL if SIGTERM does not within this time; returns its exit code.

        Stopping again is allowed. A negative code is the signal that ended it.
        """
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        if not self._stopping:
            # Said first: under gevent another greenlet may come while this one waits.
            self._stopping = True
            child.terminate()
            try:
                child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
            self.account = self._read_account(child.stdout.fileno())
            child.stdout.close()
            self.errors = self._read_errors()
            self._errors.close()
        code: int = child.wait()
        return code

    def _await_url(self, timeout_s: float) -> str:
        assert self._child.stdout is not None
        fd = self._child.stdout.fileno()
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._output:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise WsloadError(
                    f"the chat server did not listen within {span(timeout_s)}: {self._last_words()}"
                )
            read = os.read(fd, 4096)
            if not read:
                self._refuse(self._child.wait())
            self._output += read
        line, _, self._output = self._output.partition(b"\n")
        return line.decode().removeprefix(READY_PREFIX)

    def _refuse(self, code: int) -> NoReturn:
        if code == 2:
            raise UsageError(self._last_words())
        raise WsloadError(f"the chat server ended with exit code {code}: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self._read_errors().split("\n")
        return lines[-1].strip().removeprefix("wsload: ") or "it said nothing"

    def _read_errors(self) -> str:
        # pread, since the child writes where the file's own position is.
        return os.pread(self._errors.fileno(), MAX_ERRORS_BYTES, 0).decode(errors="replace").strip()

    def _read_account(self, fd: int) -> dict[str, int] | None:
        # The child is gone: what it wrote is there, and then the end.
        while read := os.read(fd, 4096):
            self._output += read
        try:
            account: dict[str, int] = json.loads(self._output)["account"]
        except ValueError:
            return None
        return account


def _environment() -> dict[str, str]:
    """This process's, where the child will find this very wsload."""
    root = str(Path(wsload.__file__).parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
