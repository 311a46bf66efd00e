"""run.json: what was run, under which conditions, and whether the figures can be trusted.

Schema history, of a results directory's files together (`wsload/results/schemas/` holds each as JSON Schema):
    1   run.json: build, target, started_at, ended_at, options, versions, host, valid, warnings, checks.
        summary.json: duration_s, metrics, counters, peaks, failures, closes. Optional: processes (the load
            generator's own, each with its CPU and lateness), probe (the counts of the process of ``--ws-probe``).
        counters.jsonl: t, length_s, histograms, counters, gauges, failures, closes.
        histograms.hlog: untagged lines are the metric ``message``, the only request that there was.
    2   run.json: labels, window, workload; trust, instead of valid; a check's ``passed`` may be null (not judged),
        ``reason`` says why. Optional: partner (the run that was made at the same time).
        summary.json and counters.jsonl: names (what the user classes measured, by kind).
            Optional: details (of each kind of failure, the particulars of the first).
        histograms.hlog: tags are percent-encoded; a comment names the metric of the untagged lines.

A file of a newer schema is refused, an older one is read; keys that this version does not know are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from wsload.measure.names import Labels
from wsload.redact import plain
from wsload.results.files import dump, parse
from wsload.results.trust import Standing, Trust
from wsload.results.window import WHOLE, Window

SCHEMA: Final = 2

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998
"""Times of runs must lie between these years, so that they can be shown in any time zone."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWarning:
    """One reason to doubt a run's figures."""

    name: str
    """Short and stable, for programs: ``cpu``, ``send-lag``."""
    text: str
    """What was observed, with the figure: ``CPU 96 % of one core``."""
    remedy: str = ""
    """What to try next: ``use --processes 4``."""
    invalidates: bool = False
    """Whether it makes the whole run untrusted."""


class CheckState(StrEnum):
    """The result of a check."""

    PASSED = "passed"
    FAILED = "failed"
    UNJUDGED = "not judged"
    """The figure has too few values, or can't be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """The outcome of one ``--ws-check``."""

    expression: str
    """As the user wrote it: ``message.p99 < 50ms``."""
    state: CheckState
    wanted: str
    """The bound, for people: ``< 50 ms``."""
    got: str
    """The measured figure, for people: ``12.4 ms``, or ``no samples``."""
    reason: str = ""
    """Why it could not be judged, or failed without a figure."""

    @property
    def explained(self) -> str:
        """The figure, and the reason if there is one."""
        return f"{self.got}: {self.reason}" if self.reason else self.got

    def to_json(self) -> dict[str, object]:
        """As in run.json: ``passed`` is true, false, or null if it was not judged."""
        return {
            "expression": plain(self.expression),
            "passed": _PASSED[self.state],
            "wanted": plain(self.wanted),
            "got": plain(self.got),
            "reason": plain(self.reason),
        }


_PASSED: Final = {CheckState.PASSED: True, CheckState.FAILED: False, CheckState.UNJUDGED: None}
_STATES: Final = {passed: state for state, passed in _PASSED.items()}


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
    """Wall clock, seconds since the epoch; None while the run is in progress, or if it was killed."""
    options: Mapping[str, object] = field(default_factory=dict)
    """By option name, without secrets; see `wsload.redact.redacted`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of wsload and its dependencies, by package."""
    host: Mapping[str, object] = field(default_factory=dict)
    """The machine that made the load; see `wsload.results.machine.describe_host`."""
    trust: Trust | None = None
    """How far the figures can be trusted; None until the run has ended."""
    window: Window = WHOLE
    """The part of the run that its figures cover."""
    workload: Mapping[str, object] = field(default_factory=dict)
    """The workload, without secrets; see `wsload.load.run.workload`. Empty in older files."""
    partner: str = ""
    """The directory, beside its own, of the run that the same process made at the same time; empty if none."""
    warnings: tuple[RunWarning, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()
    labels: Labels = field(default_factory=Labels)
    """The meanings of its metrics and labels of its counters."""
    schema: int = SCHEMA
    """Of the files that it was read from."""

    def to_json(self) -> bytes:
        """The file's contents, indented; times are UTC, to the millisecond."""
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
                "trust": None if self.trust is None else self.trust.to_json(),
                "window": self.window.to_json(),
                "workload": dict(self.workload),
                **({"partner": plain(self.partner)} if self.partner else {}),
                "warnings": [_plain_fields(warning) for warning in self.warnings],
                "checks": [check.to_json() for check in self.checks],
                "labels": {"metrics": dict(self.labels.metrics), "counters": dict(self.labels.counters)},
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> RunInfo:
        """Parses the file's contents; raises `ValueError` with the problem, but without the file's name."""
        found = load(data)
        ended_at = _take(found, "ended_at", (str, type(None)))
        warnings = tuple(
            RunWarning(
                name=_take(each, "name", str),
                text=_take(each, "text", str),
                remedy=_take(each, "remedy", str),
                invalidates=_take(each, "invalidates", bool),
            )
            for each in _take(found, "warnings", list)
        )
        return cls(
            build=_take(found, "build", str),
            target=_take(found, "target", str),
            started_at=_epoch(_take(found, "started_at", str)),
            ended_at=None if ended_at is None else _epoch(ended_at),
            options=_take(found, "options", dict),
            versions={name: str(version) for name, version in _take(found, "versions", dict).items()},
            host=_take(found, "host", dict),
            trust=_trust(found, warnings),
            window=Window.from_json(found["window"]) if "window" in found else WHOLE,
            workload=_take(found, "workload", dict) if "workload" in found else {},
            partner=_take(found, "partner", str) if "partner" in found else "",
            warnings=warnings,
            checks=tuple(
                CheckOutcome(
                    expression=_take(each, "expression", str),
                    state=_STATES[_take(each, "passed", (bool, type(None)))],
                    wanted=_take(each, "wanted", str),
                    got=_take(each, "got", str),
                    reason=str(each.get("reason", "")),
                )
                for each in _take(found, "checks", list)
            ),
            labels=_labels(found) if "labels" in found else Labels(),
            schema=found["schema"],
        )


def _trust(found: dict[str, Any], warnings: tuple[RunWarning, ...]) -> Trust | None:
    """The verdict; for older files it is derived from ``valid``."""
    if "trust" in found:
        return None if found["trust"] is None else Trust.from_json(found["trust"])
    valid = _take(found, "valid", (bool, type(None)))
    if valid is None:
        return None
    if valid:
        return Trust(standing=Standing.TRUSTED, verdict="Valid, as an older version judged it")
    reasons = "; ".join(warning.text for warning in warnings if warning.invalidates)
    return Trust(standing=Standing.UNTRUSTED, verdict=f"Not trusted: {reasons or 'the run was not valid'}")


def _labels(found: dict[str, Any]) -> Labels:
    labels = _take(found, "labels", dict)
    return Labels(
        metrics={str(name): str(text) for name, text in _take(labels, "metrics", dict).items()},
        counters={str(name): str(text) for name, text in _take(labels, "counters", dict).items()},
    )


def _plain_fields(value: RunWarning) -> dict[str, object]:
    fields = asdict(value)
    return {key: plain(found) if isinstance(found, str) else found for key, found in fields.items()}


def load(data: bytes) -> dict[str, Any]:
    """Parses the JSON object of a file with a schema number; raises `ValueError` with the problem."""
    found = parse(data)
    schema = _take(found, "schema", int)
    if schema > SCHEMA:
        raise ValueError(
            f"written by a newer wsload (schema {schema}; this one reads up to {SCHEMA}): "
            "upgrade wsload to read it"
        )
    if schema < 1:
        raise ValueError(f"schema {schema} is unknown")
    return dict(found)


def _take(found: object, key: str, wanted: type[T] | tuple[type[Any], ...]) -> T | Any:
    if not isinstance(found, dict):
        raise ValueError(f"not an object where {key!r} was expected")
    if key not in found:
        raise ValueError(f"{key!r} is missing")
    value = found[key]
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int):
        raise ValueError(f"{key!r} has the wrong type {type(value).__name__}")
    return value


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} has no time zone")
    years = range(_FIRST_YEAR, _LAST_YEAR + 1)
    # First as it stands, since the conversion fails at either end of the calendar.
    if moment.year not in years or moment.astimezone(UTC).year not in years:
        raise ValueError(f"the time {text!r} can't be that of a run")
    return moment.timestamp()
