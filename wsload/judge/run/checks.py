"""Checks: what a run has to fulfil, as one line that a person can read and CI can judge.

    check     = subject operator number [unit]
    subject   = metric "." statistic | total | total ".rate"
    metric    = a metric's name: message, open.tls, login …
    statistic = "p" percentile | "min" | "mean" | "max" | "count" | "rate"
    percentile = a number above 0 and below 100: p50, p99, p99.99
    total     = "failures" | a counter's name: lost, timeouts, unsent …
    operator  = "<" | "<=" | ">" | ">="
    number    = digits [ "." digits ]
    unit      = "ns" | "us" | "µs" | "ms" | "s"    for times: p…, min, mean, max, and cpu_ns
              | "/s"                               for every rate
              | "%"                                for the rates that are shares, see below
              | nothing                            for counts

Spaces may stand between the parts: ``message.p99 < 50ms``, ``failures.rate <= 0.1 %``, ``lost < 1``.
Percentiles, the mean and the extremes are those of the report's table, in which a lost message is
not part of ``message`` (its age is in ``message.lost``): check ``lost.rate`` beside ``message.p99``.

In ``%`` a rate is a share, of what might have gone that way:

- ``failures.rate``: of everything tried, failed or not: opens, logins, messages answered, failures;
- ``open_failures.rate`` and ``login_failures.rate``: of all opens, of all logins;
- ``lost.rate``, ``timeouts.rate``, ``late.rate``, ``duplicates.rate``, ``out_of_order.rate``: of the
  messages answered or lost;
- ``unsent.rate``: of the messages answered, lost or unsent;
- ``cpu_ns.rate``: of one core.

A check on figures there are no samples for fails, and says so.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, NoReturn

from wsload.errors import UsageError
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.names import counters, metrics
from wsload.results.run import CheckOutcome
from wsload.words import UNITS_NS

FAILURES: Final = "failures"


def _metrics() -> tuple[str, ...]:
    return tuple(dict.fromkeys(("message", "message.service", "message.lost", *metrics())))


def _totals() -> tuple[str, ...]:
    return (FAILURES, *counters())


TIMED: Final = "cpu_ns"
"""The one counter that adds up a time."""

_OPERATORS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_TIMES: Final = {unit: UNITS_NS[unit] for unit in ("ns", "us", "µs", "ms", "s")}
_UNITS: Final = {**_TIMES, "%": 1, "/s": 1, "": 1}
_OF_MESSAGES: Final = ("lost", "timeouts", "late", "duplicates", "out_of_order")
_SHARES: Final = (FAILURES, "open_failures", "login_failures", *_OF_MESSAGES, "unsent", TIMED)
_STATISTIC: Final = re.compile(r"p\d{1,2}(\.\d{1,6})?|min|mean|max|count|rate")
_SUBJECT: Final = re.compile(rf"(?P<name>.+)\.(?P<statistic>{_STATISTIC.pattern})")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_STATISTICS: Final = (
    "p50",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "p99.99",
    "min",
    "mean",
    "max",
    "count",
    "rate",
)
_OTHER_NAMES: Final = {"avg": "mean", "average": "mean", "med": "p50", "median": "p50", "p100": "max",
                       "p999": "p99.9", "p9999": "p99.99"}  # fmt: skip
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, understood."""

    expression: str
    """As the user wrote it, with single spaces."""
    name: str
    """The metric or the total."""
    statistic: str
    """As in the grammar; empty for a total itself."""
    operator: str
    """``<``, ``<=``, ``>`` or ``>=``."""
    bound: float
    """In ns for times, in % for shares, in numbers a second for rates."""
    unit: str
    """As written, and used again to show what was got."""

    @property
    def wanted(self) -> str:
        """The bound, for people."""
        return f"{self.operator} {self.shown(self.bound)}"

    def shown(self, value: float) -> str:
        """A figure of the bound's kind, for people, in the unit the user chose."""
        scaled = value / _UNITS[self.unit]
        figure = f"{scaled:.6g}" if abs(scaled) < 100_000 else f"{scaled:.12g}"
        return figure + ("" if self.unit in ("", "/s") else " ") + self.unit


class _Reader:
    """The expression, and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.replace("μs", "µs").split())  # Greek mu, as some keyboards type it
        self.at = 0
        if not self.text:
            raise UsageError("an empty check: write one as in 'message.p99 < 50ms'")
        if len(self.text) > _LONGEST:
            raise UsageError(f"check '{self.text[:40]}…': longer than {_LONGEST} characters")
        if not self.text.isprintable():
            raise UsageError(f"check {self.text!a}: has characters that can't be printed")

    def take(self, pattern: str | re.Pattern[str]) -> str:
        """The next part, if it looks like this, without the spaces before it; else nothing."""
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1
        found = re.compile(pattern).match(self.text, self.at)
        return found[0] if found else ""

    def refuse(self, problem: str, further: int = 0) -> NoReturn:
        """Raises the error that quotes the expression and points at the place, or so much further on."""
        place = " " * (self.at + further)
        raise UsageError(f"check '{self.text}': {problem}\n    {self.text}\n    {place}^")


def parse_check(text: str) -> Check:
    """The check that this expression asks for; see the grammar above.

    Raises `UsageError` that quotes the expression, points at the place and says what is allowed.
    """
    reader = _Reader(text)
    subject = reader.take(r"[^\s<>=!]+")
    if not subject:
        reader.refuse("begins with what to check, as in 'message.p99 < 50ms'")
    name, statistic = _subject(reader, subject)
    reader.at += len(subject)
    sign = reader.take(r"[<>=!]+")
    if sign not in _OPERATORS:
        reader.refuse(
            f"'{sign}' is no comparison: use < <= > or >="
            if sign
            else "a comparison is missing: < <= > or >="
        )
    reader.at += len(sign)
    number = reader.take(_NUMBER)
    if not number:
        reader.refuse("a number from 0 is missing, such as 50 or 0.1")
    reader.at += len(number)
    unit = reader.take(r".*")
    allowed = _units(name, statistic)
    if unit not in allowed:
        problem = f"{subject} is not measured in '{unit}'" if unit else f"{subject} needs a unit"
        rule = "it takes a bare number" if allowed == ("",) else f"write {_listed(allowed)}"
        reader.refuse(f"{problem}: {rule}")
    bound = float(Decimal(number) * _UNITS[unit])
    return Check(
        expression=reader.text, name=name, statistic=statistic, operator=sign, bound=bound, unit=unit
    )


def _subject(reader: _Reader, subject: str) -> tuple[str, str]:
    if subject in _totals():
        return subject, ""
    if subject in _metrics():
        reader.refuse(f"which figure of {subject}? Add one, as in {subject}.p99", len(subject))
    found = _SUBJECT.fullmatch(subject)
    name, statistic = (found["name"], found["statistic"]) if found else (subject, "")
    if name in _metrics():
        if statistic.startswith("p") and not float(statistic[1:]):
            reader.refuse("percentiles lie above 0: for the smallest value, say min", len(name) + 1)
        return name, statistic
    if name in _totals():
        if statistic != "rate":
            reader.refuse(f"{name} is a total: it has a rate, and no {statistic}", len(name) + 1)
        return name, statistic
    metric = max((each for each in _metrics() if name.startswith(f"{each}.")), key=len, default=None)
    if metric and not statistic:
        statistic = name[len(metric) + 1 :]
        hint = _near(_OTHER_NAMES.get(statistic, statistic), _STATISTICS)
        reader.refuse(
            f"'{statistic}' is no statistic{hint or f': use {_listed(_STATISTICS)}'}", len(metric) + 1
        )
    hint = _near(name, _metrics() + _totals())
    return reader.refuse(
        f"there is no '{name}'"
        + (hint or f": there are {_listed(_metrics())}, and the totals {_listed(_totals())}")
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _near(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=3)
    return f": did you mean {' or '.join(near)}?" if near else ""


def _units(name: str, statistic: str) -> tuple[str, ...]:
    if statistic == "rate":
        if name == TIMED:
            return ("%",)
        return ("/s", "%") if name in _SHARES else ("/s",)
    if statistic == "count" or (not statistic and name != TIMED):
        return ("",)
    return ("ms", "s", "us", "µs", "ns")


def evaluate(check: Check, totals: Totals) -> CheckOutcome:
    """How the check comes out over the whole of a run (or any stretch of it)."""
    got = _figure(check, totals) if totals.intervals else None
    return CheckOutcome(
        expression=check.expression,
        passed=got is not None and _OPERATORS[check.operator](got, check.bound),
        wanted=check.wanted,
        got="no samples" if got is None else check.shown(got),
    )


def _figure(check: Check, totals: Totals) -> float | None:
    """The figure in the bound's unit; None when there are no samples for it."""
    name, statistic = check.name, check.statistic
    if name in _metrics():
        histogram = totals.histograms.get(name, Histogram())
        match statistic:
            case "count":
                return histogram.total
            case "rate":
                return _ratio(histogram.total, totals.duration_s)
        if not histogram.total:
            return None
        match statistic:
            case "min":
                return histogram.min_ns
            case "mean":
                return histogram.mean_ns
            case "max":
                return histogram.max_ns
        return histogram.percentile(float(statistic[1:]))
    number = sum(totals.failures.values()) if name == FAILURES else totals.counters.get(name, 0)
    if not statistic:
        return number
    if check.unit == "/s":
        return _ratio(number, totals.duration_s)
    return _ratio(100 * number, _whole(name, totals))


def _whole(name: str, totals: Totals) -> float:
    """What a share is a share of; see the module's first lines."""
    count = totals.counters
    answered = totals.histograms["message"].total if "message" in totals.histograms else 0
    if name == FAILURES:
        return count["opens"] + count["logins"] + answered + sum(totals.failures.values())
    if name in ("open_failures", "login_failures"):
        return count[name] + count["opens" if name == "open_failures" else "logins"]
    if name == TIMED:
        return totals.duration_s * 1e9
    return answered + count["lost"] + (count["unsent"] if name == "unsent" else 0)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
