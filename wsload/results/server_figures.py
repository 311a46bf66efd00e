"""server.json: CPU and memory of the server under test during a run, stored with that run.

Written by ``wsload ab`` and ``wsload capacity``, read for the comparison.

Schema history:
    1   command, url, exit_code, cpu_s, cpu_share, memory_peak_bytes, processes, every_s, samples.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from wsload.errors import ResultsError
from wsload.results.files import dump, finite, parse, read_json_file, whole

SCHEMA: Final = 1
SERVER: Final = "server.json"
SERVER_LOG: Final = "server.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample of the server's processes."""

    at_s: float
    """Since the start of the measured run."""
    cpu_share: float
    """Of one core, since the previous sample."""
    memory_bytes: int
    """Resident memory summed over its processes; shared memory counts for each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFigures:
    """The server over one measured run."""

    command: str
    url: str
    exit_code: int | None
    """If it ended before it was stopped, negative for a signal; otherwise None."""
    cpu_s: float
    """CPU time of all its processes."""
    cpu_share: float
    """The same relative to one core over the run."""
    memory_peak_bytes: int
    """Of all samples."""
    processes: int
    """The largest number in a sample."""
    every_s: float
    """Time between samples."""
    samples: tuple[Sample, ...] = ()

    def to_json(self) -> bytes:
        """The file's contents."""
        return dump({"schema": SCHEMA, **asdict(self)})


def read_server(run: Path) -> ServerFigures | None:
    """A run's server figures; None if wsload did not start the server.

    Raises `ResultsError` when the file is damaged or of another schema.
    """
    path = run / SERVER
    if not path.is_file():
        return None
    try:
        found = parse(read_json_file(path))
        if found["schema"] != SCHEMA:
            raise ValueError(f"schema {found['schema']!r} is unknown: upgrade wsload to read it")
        return ServerFigures(
            command=str(found["command"]),
            url=str(found["url"]),
            exit_code=None if found["exit_code"] is None else whole(found["exit_code"]),
            cpu_s=finite(found["cpu_s"]),
            cpu_share=finite(found["cpu_share"]),
            memory_peak_bytes=whole(found["memory_peak_bytes"]),
            processes=whole(found["processes"]),
            every_s=finite(found["every_s"]),
            samples=tuple(
                Sample(
                    at_s=finite(each["at_s"]),
                    cpu_share=finite(each["cpu_share"]),
                    memory_bytes=whole(each["memory_bytes"]),
                )
                for each in found["samples"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(
            f"{path}: not the figures of a server ({type(error).__name__}: {error})"
        ) from error
