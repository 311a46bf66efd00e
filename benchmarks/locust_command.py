"""The real ``locust`` command being measured, and the results directory that it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import Failed, Process, until

CLIENTS: Final = Path(__file__).parent / "clients"


class Locust(Process):
    """``locust --headless`` with this locustfile of `benchmarks.clients`, all users at once."""

    def __init__(
        self,
        locustfile: str,
        *options: object,
        users: int,
        url: str,
        directory: Path,
        rate: int | None = None,
        size: int | None = None,
        message: Path | None = None,
    ) -> None:
        given = {"BENCH_BYTES": size, "BENCH_MESSAGE": message}
        self._results = directory / f"{locustfile}.results"
        before = set(self._results.glob("*"))
        super().__init__(
            *(sys.executable, "-m", "locust", "-f", CLIENTS / f"{locustfile}.py", "--headless"),
            *("-u", users, "-r", rate or users, "--host", url, *options),
            *(("--ws-results", self._results) if "wsload" in locustfile else ()),
            directory=directory,
            name=locustfile,
            variables={name: str(value) for name, value in given.items() if value is not None},
        )
        self._before = before

    @property
    def results(self) -> Path | None:
        """The directory of its results; None if it has none yet."""
        new = set(self._results.glob("*")) - self._before
        return new.pop() if new else None

    def seconds(self) -> list[dict[str, Any]]:
        """Its counts so far, second by second."""
        counts = self.results / "counters.jsonl" if self.results is not None else None
        if counts is None or not counts.exists():
            return []
        return [json.loads(line) for line in counts.read_bytes().split(b"\n")[:-1]]

    def counted(self, name: str) -> int:
        """A counter's sum so far."""
        return sum(second["counters"].get(name, 0) for second in self.seconds())

    def steady_seconds(self, number: int, *, skip: int = 1) -> list[dict[str, Any]]:
        """The next ``number`` whole seconds, after skipping some."""
        first = len(self.seconds()) + skip
        until(lambda: len(self.seconds()) >= first + number, f"{number} seconds of results", self)
        return self.seconds()[first : first + number]

    def finish(self, timeout_s: float) -> Path:
        """Waits until it ends by its ``-t``; returns its results directory."""
        self.wait(timeout_s)
        if self.results is None:
            raise Failed(f"{self.name} left no results: {self.last_words()}")
        return self.results
