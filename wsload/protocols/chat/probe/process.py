"""The probe as a child process: started, listened to, and gone with its parent."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

import wsload
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.result import ProbeResult, added

STOP_TIMEOUT_S: Final = 5.0
"""Beyond the drain, a probe has so long to end by itself."""
MAX_ERRORS_BYTES: Final = 64 * 1024


class ProbeProcess:
    """The probe process, from construction until `stop` or until this process is gone.

    It ends when the pipe to its standard input does. Works alike where gevent has patched
    ``subprocess``: its output goes to a file, which is read without ever waiting.
    """

    def __init__(self, options: ProbeOptions) -> None:
        self._patience_s = options.drain_s + STOP_TIMEOUT_S
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by `stop`
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._child = subprocess.Popen(
            [sys.executable, "-m", "wsload.protocols.chat.probe"],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._errors,
            env=_environment(),
            # Ctrl-C in the terminal is for the parent, which stops the probe when it is done with it.
            start_new_session=True,
        )
        self.pid: int = self._child.pid
        self._position = 0
        self._parts: list[ProbeResult] = []
        self._result: ProbeResult | None = None
        self._code: int | None = None
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once: `stop` tells why
            self._child.stdin.write(options.to_json().encode() + b"\n")
            self._child.stdin.flush()

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._child.poll() is None

    def read(self) -> list[ProbeResult]:
        """What it has said since it was last asked, one result a second; never waits."""
        new: list[ProbeResult] = []
        if self._result is None:
            data = b""
            while read := os.pread(self._output.fileno(), 1 << 20, self._position + len(data)):
                data += read
            lines = data[: data.rfind(b"\n") + 1]
            self._position += len(lines)
            new = [ProbeResult.from_json(line) for line in lines.splitlines()]
            self._parts += new
        return new

    def end(self) -> list[ProbeResult]:
        """Stops it, by SIGKILL if it does not end in time; returns what `read` had not returned yet."""
        if self._result is not None or self._code is not None:
            return []
        self._code = self._end()
        return self.read()

    def stop(self) -> ProbeResult:
        """Stops it like `end`, and returns all that it saw.

        Stopping again is allowed. Where it did not end in order, ``ended`` is false and ``problem``
        says what is known.
        """
        if self._result is None:
            self.end()
            code = self._code
            result = added(self._parts)
            if code and not result.ended:
                result = replace(result, problem=self._last_words() or f"it ended with exit code {code}")
            self._result = result
            self._output.close()
            self._errors.close()
        return self._result

    def _end(self) -> int:
        child = self._child
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        try:
            child.wait(self._patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
        code: int = child.wait()
        return code

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(MAX_ERRORS_BYTES).decode(errors="replace").strip().split("\n")
        return lines[-1].removeprefix("wsload.protocols.chat.probe: ")


def _environment() -> dict[str, str]:
    """This process's, where the child will find this very wsload."""
    root = str(Path(wsload.__file__).parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
