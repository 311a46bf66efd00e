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
from types import TracebackType
from typing import IO, Final, Self

import wsload
from wsload.errors import UsageError, WsloadError

READY_TIMEOUT_S: Final = 15.0
STOP_TIMEOUT_S: Final = 10.0
_READY: Final = b"wsload serve: "


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
        self._rest = b""
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
        try:
            self.url = self._await_url(timeout_s)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Stops the server, by SIGKILL if SIGTERM does not within this time; returns its exit code.

        Stopping again is allowed. A negative code is the signal that ended it.
        """
        ...
