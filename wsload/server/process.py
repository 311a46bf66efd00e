"""The chat server as a child process, which never outlives its parent."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from typing import Final, NoReturn, Self

from wsload.children import ModuleProcess
from wsload.errors import UsageError, WsloadError
from wsload.exit_codes import ExitCode
from wsload.server.options import READY_PREFIX
from wsload.words import span

READY_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 10.0


class ServerProcess:
    """``wsload serve`` on a free loopback port, with these additional options.

    It runs from construction until `stop`, or until this process is gone, and listens at ``url``. Raises `UsageError`
    if the server refused its options, and `WsloadError` with the server's last words if it did not start otherwise.
    """

    def __init__(self, *options: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        fixed = ("serve", "--port", "0", "--until-eof", "--account")
        self._child = ModuleProcess("wsload", *fixed, *options, output=subprocess.PIPE)
        self._output = b""
        self.pid: int = self._child.pid
        self.account: dict[str, int] | None = None
        """The server's totals, if it has stopped properly."""
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
        return self._child.running

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        return self._child.errors

    def wait(self, timeout_s: float | None = None) -> int:
        """Waits until it has ended by itself; returns its exit code. Raises `subprocess.TimeoutExpired`."""
        return self._child.wait(timeout_s)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Stops the server, with SIGKILL after ``timeout_s``; returns its exit code. Idempotent.

        A negative code is the signal that ended it.
        """
        code = self._child.end(timeout_s)
        output = self._child.output
        assert output is not None
        if not output.closed:
            self.account = self._read_account(output.fileno())
            output.close()
        return code

    def _await_url(self, timeout_s: float) -> str:
        assert self._child.output is not None
        fd = self._child.output.fileno()
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._output:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise WsloadError(f"the chat server did not listen within {span(timeout_s)}: {self._said}")
            read = os.read(fd, 4096)
            if not read:
                self._refuse(self._child.wait())
            self._output += read
        line, _, self._output = self._output.partition(b"\n")
        return line.decode().removeprefix(READY_PREFIX)

    def _refuse(self, code: int) -> NoReturn:
        if code == ExitCode.USAGE:
            raise UsageError(self._said)
        raise WsloadError(f"the chat server ended with exit code {code}: {self._said}")

    @property
    def _said(self) -> str:
        return self._child.last_words.removeprefix("wsload: ") or "it said nothing"

    def _read_account(self, fd: int) -> dict[str, int] | None:
        # The child is gone, so this reads to the end without waiting.
        while read := os.read(fd, 4096):
            self._output += read
        try:
            account: dict[str, int] = json.loads(self._output)["account"]
        except ValueError:
            return None
        return account
