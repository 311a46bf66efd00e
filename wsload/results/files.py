"""Files of a results directory: read with bounds, written at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from wsload.errors import NotWritten, ResultsError, UsageError, unwritten

MAX_JSON_BYTES: Final = 8 << 20
"""A longer JSON file in a results directory is refused."""
MAX_DEEP: Final = 32
"""Levels of lists and objects in a file of wsload's."""


def dump(value: Mapping[str, object]) -> bytes:
    """Indented JSON with a final newline."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parse(data: bytes) -> Any:
    """The value of a JSON document; raises `ValueError` with the problem."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error
    _refuse_deep(found)
    return found


def whole(value: Any) -> int:
    """A number as a whole one that JSON can hold; raises `ValueError` or `TypeError` for anything else."""
    number = int(value)
    if number.bit_length() > 63:
        raise ValueError("a number is too large")
    return number


def finite(value: Any) -> float:
    """A number that is neither infinite nor NaN; raises `ValueError` for anything else, such as a text."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    return float(value)


def _refuse_deep(found: object) -> None:
    """Refuses what is nested too deeply to be written again: orjson supports 254 levels."""
    level = [found]
    for _ in range(MAX_DEEP):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
        ]
        if not level:
            return
    raise ValueError(f"nested more than {MAX_DEEP} deep")


def read_json_file(path: Path) -> bytes:
    """Reads a file of up to `MAX_JSON_BYTES`; raises `ResultsError` if it is longer or can't be read."""
    try:
        if not path.is_file():
            raise ResultsError(f"{path}: no such file, so this is not a results directory of a run")
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})") from error
    if len(data) > MAX_JSON_BYTES:
        raise ResultsError(f"{path}: larger than {MAX_JSON_BYTES >> 20} MiB: not one of wsload's files")
    return data


def replace_file(path: Path, data: bytes) -> None:
    """Writes the file atomically: readers see either the old or the new contents."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:  # never through a link that somebody put there
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def store(path: Path, data: bytes, *, what: str = "") -> None:
    """Writes the file as `replace_file` does; raises `NotWritten` in one line when it can't be written.

    ``what`` says what can't be, by default the path with a colon.
    """
    try:
        replace_file(path, data)
    except OSError as problem:
        raise NotWritten(_unwritten(what or f"{path}:", problem)) from problem


def put_out(path: Path, data: bytes, *, named: bool = True, what: str = "", hint: str = "") -> None:
    """Writes a file for the user, as `store` does; raises `UsageError`, or `NotWritten` for a full disk.

    Where the user named the file, a link stays one: the file is written where it leads; and a device or pipe is
    written to, not replaced. Otherwise these are replaced, since they may be somebody else's, like the directory.
    """
    try:
        if not named:
            replace_file(path, data)
        elif path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            replace_file(Path(os.path.realpath(path)), data)
    except OSError as problem:
        raise unwritten(problem, _unwritten(what or f"{path}:", problem) + hint, UsageError) from problem


def _unwritten(what: str, problem: OSError) -> str:
    return f"{what} can't be written ({problem.strerror})"


def new_directory(parent: Path, name: str) -> Path:
    """Makes a directory of this name, or of the first one with a number behind it that does not exist."""
    os.makedirs(parent, exist_ok=True)
    number = 1
    while True:
        path = parent / (name if number == 1 else f"{name}.{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path
