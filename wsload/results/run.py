"""run.json: what a run was, under which conditions, and whether its figures can be trusted.

Schema history, of run.json and summary.json together:
    1   run.json: build, target, started_at, ended_at, options, versions, host, valid, warnings, checks.
        summary.json: duration_s, metrics, counters, peaks, failures, closes.

A file of a newer schema is refused; keys that this version does not know are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from wsload.errors import ResultsError
from wsload.redact import plain

SCHEMA: Final = 1
MAX_JSON_BYTES: Final = 8 << 20
"""A JSON file of a results directory longer than this is refused."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWarning:
    """One reason to doubt a run's figures."""

    name: str
    """Short and constant, for machines: ``cpu``, ``send-lag``."""
    text: str
    """What was seen, with the figure: ``CPU 96 % of one core``."""
    remedy: str = ""
    """What to try next: ``use --processes 4``."""
    invalidates: bool = False
    """Whether the figures can't be vouched for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """How one ``--ws-check`` came out."""

    expression: str
    """As the user wrote it: ``message.p99 < 50ms``."""
    passed: bool
    wanted: str
    """The bound, for people: ``< 50 ms``."""
    got: str
    """The figure, for people: ``12.4 ms``, or ``no samples``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The contents of run.json."""

    build: str
    """The label of what was tested (``--ws-build``)."""
    target: str
    """The URL under load, without secrets."""
    started_at: float
    """Wall clock, seconds since the epoch, to the millisecond."""
    ended_at: float | None = None
    """Wall clock, seconds since the epoch; None while it runs, and for ever if it was killed."""
    options: Mapping[str, object] = field(default_factory=dict)
    """By option name, without secrets; see `wsload.redact.redacted`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of wsload and of what it stands on, by package."""
    host: Mapping[str, object] = field(default_factory=dict)
    """The machine that made the load; see `wsload.results.machine.describe_host`."""
    valid: bool | None = None
    """Whether the figures can be vouched for; None until the run has ended."""
    warnings: tuple[RunWarning, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()

    def to_json(self) -> bytes:
        """The file's contents, indented for people; times as UTC to the millisecond."""
        return dump(
            {
                "schema": SCHEMA,
                "build": plain(self.build),
                "target": plain(self.target),
                "started_at": _iso(self.started_at),
                "ended_at": None if self.ended_at is None else _iso(self.ended_at),
                "options": dict(self.options),
                "versions": dict(self.versions),
                "host": dict(self.host),
                "valid": self.valid,
                "warnings": [_plain_fields(warning) for warning in self.warnings],
                "checks": [_plain_fields(check) for check in self.checks],
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> RunInfo:
        """The value of a file's contents.

        Raises `ValueError` saying what is wrong with it, without the file's name.
        """
        found = load(data)
        ended_at = _take(found, "ended_at", (str, type(None)))
        return cls(
            build=_take(found, "build", str),
            target=_take(found, "target", str),
            started_at=_epoch(_take(found, "started_at", str)),
            ended_at=None if ended_at is None else _epoch(ended_at),
            options=_take(found, "options", dict),
            versions={name: str(version) for name, version in _take(found, "versions", dict).items()},
            host=_take(found, "host", dict),
            valid=_take(found, "valid", (bool, type(None))),
            warnings=tuple(
                RunWarning(
                    name=_take(each, "name", str),
                    text=_take(each, "text", str),
                    remedy=_take(each, "remedy", str),
                    invalidates=_take(each, "invalidates", bool),
                )
                for each in _take(found, "warnings", list)
            ),
            checks=tuple(
                CheckOutcome(
                    expression=_take(each, "expression", str),
                    passed=_take(each, "passed", bool),
                    wanted=_take(each, "wanted", str),
                    got=_take(each, "got", str),
                )
                for each in _take(found, "checks", list)
            ),
        )


def _plain_fields(value: RunWarning | CheckOutcome) -> dict[str, object]:
    fields = asdict(value)
    return {key: plain(found) if isinstance(found, str) else found for key, found in fields.items()}


def dump(value: Mapping[str, object]) -> bytes:
    """Indented JSON with a final newline."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def load(data: bytes) -> dict[str, Any]:
    """The JSON object of a file that carries our schema number.

    Raises `ValueError` saying what is wrong with it.
    """
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error})") from error
    schema = _take(found, "schema", int)
    if schema > SCHEMA:
        raise ValueError(
            f"written by a newer wsload (schema {schema}; this one reads up to {SCHEMA}): "
            "upgrade wsload to read it"
        )
    if schema != SCHEMA:
        raise ValueError(f"schema {schema} is unknown")
    return dict(found)


def _take(found: object, key: str, wanted: type[T] | tuple[type[Any], ...]) -> T | Any:
    if not isinstance(found, dict):
        raise ValueError(f"not an object where {key!r} was expected")
    if key not in found:
        raise ValueError(f"{key!r} is missing")
    value = found[key]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
        raise ValueError(f"{key!r} is a {type(value).__name__}, which it can't be")
    return value


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} has no time zone")
    return moment.timestamp()


def read_json_file(path: Path) -> bytes:
    """A whole file of reasonable size.

    Raises `ResultsError` when there is none, or it can't be read.
    """
    try:
        if not path.is_file():
            raise ResultsError(f"{path}: no such file: not a results directory of wsload")
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})") from error
    if len(data) > MAX_JSON_BYTES:
        raise ResultsError(f"{path}: larger than {MAX_JSON_BYTES >> 20} MiB: not one of wsload's files")
    return data


def replace_file(path: Path, data: bytes) -> None:
    """Writes the file so that a reader sees either the old or the new contents, whatever happens.

    Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
