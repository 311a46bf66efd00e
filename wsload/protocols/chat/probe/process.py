"""The probe as a child process, which never outlives its parent."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from typing import IO, Final

from wsload.children import ModuleProcess
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.result import ProbeResult, added

MODULE: Final = "wsload.protocols.chat.probe"
STOP_TIMEOUT_S: Final = 5.0
"""How long a probe may take to end by itself, beyond its drain."""


class ProbeProcess:
    """The probe process: it runs from construction until `stop`, or until this process is gone.

    Its output goes to a file, so that reading never waits.
    """

    def __init__(self, options: ProbeOptions) -> None:
        self._patience_s = options.drain_s + STOP_TIMEOUT_S
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed by `stop`
        self._child = ModuleProcess(MODULE, output=self._output)
        self.pid: int = self._child.pid
        self._position = 0
        self._parts: list[ProbeResult] = []
        self._result: ProbeResult | None = None
        self._code: int | None = None
        self._child.tell(options.to_json().encode() + b"\n")

    @property
    def running(self) -> bool:
        return self._child.running

    def read(self) -> list[ProbeResult]:
        """The results since the last call, one per second. A line that can't be read becomes a result's ``problem``."""
        new: list[ProbeResult] = []
        if self._result is None:
            data = b""
            while read := os.pread(self._output.fileno(), 1 << 20, self._position + len(data)):
                data += read
            lines = data[: data.rfind(b"\n") + 1]
            self._position += len(lines)
            new = [_read(line) for line in lines.splitlines()]
            self._parts += new
        return new

    def end(self) -> list[ProbeResult]:
        """Stops it, with SIGKILL if it does not end in time; returns the results since the last `read`."""
        if self._code is not None:
            return []
        self._code = self._child.end(self._patience_s)
        return self.read()

    def stop(self) -> ProbeResult:
        """Stops it like `end`, and returns the sum of all results. Idempotent.

        If it did not end properly, ``ended`` is false and ``problem`` says what is known.
        """
        if self._result is None:
            self.end()
            result = added(self._parts)
            if self._code and not result.ended:
                said = self._child.last_words.removeprefix(f"{MODULE}: ")
                result = replace(result, problem=said or f"it ended with exit code {self._code}")
            self._result = result
            self._output.close()
        return self._result


def _read(line: bytes) -> ProbeResult:
    try:
        return ProbeResult.from_json(line)
    except ValueError as error:
        return ProbeResult(problem=f"a line of its output could not be read: {error}")
