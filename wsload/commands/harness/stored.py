"""Plans that are stored as JSON: reading their files, dataclasses, times, and text that can be stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

from wsload.errors import ResultsError, UsageError
from wsload.redact import plain
from wsload.results.files import read_json_file

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}
_END_S: Final = 2.5e11
"""In the year 9892."""
T = TypeVar("T")


def read(file: Path, parse: Callable[[bytes], T]) -> T:
    """What this file holds. ``parse`` raises `ValueError` or `UsageError` with the problem.

    Raises `ResultsError` when there is no such file, or it can't be parsed.
    """
    data = read_json_file(file)
    try:
        return parse(data)
    except (ValueError, UsageError) as error:
        raise ResultsError(f"{file}: {error}") from error


def made(kind: type[T], found: dict[str, Any], **given: object) -> T:
    """The dataclass made from an object's items; those that it doesn't know are ignored.

    Raises `ValueError` for an item that has not its field's type.
    """
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    for name, value in found.items():
        wanted = _KINDS.get(known.get(name, ""))
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            raise ValueError(f"{name!r} has the wrong type {type(value).__name__}")
    return kind(**({name: value for name, value in found.items() if name in known} | given))


def moment(value: object) -> float:
    """A stored time, in seconds since the epoch; raises `ValueError` for what is none, or can't be shown as a date."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _END_S:
        raise ValueError("'created_at' is not a time")
    return float(value)


def utf8(value: Any) -> Any:
    """With all text valid UTF-8, whatever bytes the command line held."""
    if isinstance(value, dict):
        return {key: utf8(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [utf8(each) for each in value]
    return plain(value) if isinstance(value, str) else value
