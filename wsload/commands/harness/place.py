"""The directory of an experiment, and the signals that interrupt one."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from wsload.errors import NotWritten, UsageError, disk_failed, unwritten
from wsload.results import files
from wsload.words import stamp

LOCUST_LOG: Final = "locust.log"
STAGE: Final = ".running"
"""The subdirectory for what is being made."""


def new_directory(results: Path, at: float, kind: str = "ab") -> Path:
    """Makes a new ``<kind>-<YYYYMMDDThhmmssZ>`` in the results directory; raises `UsageError` or `NotWritten`."""
    try:
        return files.new_directory(results, f"{kind}-{stamp(at)}")
    except OSError as error:
        text = f"--results {str(results)!r}: can't be written to ({error.strerror})"
        raise unwritten(error, text) from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Locks the experiment's directory, so that two commands can't mix their runs.

    Raises `UsageError`, also if the directory can't be written to.
    """
    try:
        held = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{path}: can't be opened ({error.strerror})") from None
    if not os.access(path, os.W_OK):
        os.close(held)
        raise UsageError(f"{path}: can't be written to")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise UsageError(f"{path}: in use by another wsload") from None
    try:
        yield
    finally:
        os.close(held)


@contextmanager
def conducted(path: Path) -> Iterator[None]:
    """Around the runs of the experiment in this directory.

    SIGTERM and a closed terminal end it as Ctrl-C does. Raises `NotWritten` if the disk is full, or fails.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    except OSError as error:
        if not disk_failed(error):
            raise
        raise NotWritten(f"{error.filename or path}: can't be written ({error.strerror})") from error
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def free(path: Path) -> Path:
    """This path, or the first one with a number behind it that does not exist."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found


def put_in_place(run: Path, stage: Path, logs: Mapping[str, str], directory: Path) -> str:
    """Moves a run from the stage into a directory, with its logs; returns its name there.

    ``logs`` are the names that they have in the stage, with those that they get in the run; any may be missing. What is
    left of the stage is removed.
    """
    for staged, name in logs.items():
        if (stage / staged).is_file():
            (stage / staged).replace(run / name)
    place = free(directory / run.name)
    run.rename(place)
    shutil.rmtree(stage)
    return place.name
