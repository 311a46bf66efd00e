"""Parses checks: requirements on a run, such as ``message.p99 < 50ms``::

    check      = subject operator number [unit]
    subject    = name "." statistic | name part | name part ".rate" | total | total ".rate"
    name       = a request's, step's or value's name, or a metric's: message, open.tls, "sub first"
    part       = ".lost" | ".failed"       how many requests of that name were lost, or were refused or failed
    statistic  = "p" percentile | "min" | "mean" | "max" | "count" | "rate"
    percentile = a number above 0 and below 100: p50, p99, p99.99
    total      = "failures" | a counter's name: lost, timeouts, unsent, "items sold" …
    operator   = "<" | "<=" | ">" | ">="
    number     = digits [ "." digits ]
    unit       = "ns" | "us" | "µs" | "ms" | "s"    for times: p…, min, mean, max, and cpu_ns
               | "/s"                               for every rate
               | "%"                                for rates that are shares: `wsload.judge.run.checks`
               | nothing                            for counts

There may be spaces between the parts: ``message.p99 < 50ms``, ``failures.rate <= 0.1 %``, ``lost < 1``. A name
may be put in single or double quotes (``"sub first".p99 < 50ms``), in which a backslash escapes the next
character. Without quotes it must not contain quotes or ``< > = !``, nor look like a total, a misspelt metric, or
a name with its statistic.

Names are only known after the run, so an unknown one is refused here only if it resembles one of wsload's own. So is
a part that one of wsload's own metrics does not have, such as ``open.lost``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from itertools import chain
from typing import Final, NoReturn

from wsload.errors import UsageError
from wsload.judge.run.own_parts import STATISTICS, missing
from wsload.measure.given_names import one_line
from wsload.measure.names import FAILED, FAILURES, LOST, MESSAGE, SUFFIXES, Labels, labels, split
from wsload.words import percent, rate, significant

TIMED: Final = "cpu_ns"
"""The only counter of a time."""

_OPERATORS: Final = ("<", "<=", ">", ">=")
TIMES: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
UNITS: Final = {**TIMES, "%": 1, "/s": 1, "": 1}
OF_REQUESTS: Final = ("lost", "timeouts", "late", "duplicates", "out_of_order", "refused")
"""Counters whose rates may be shares of all requests."""
SHARES: Final = (FAILURES, "open_failures", "login_failures", *OF_REQUESTS, "unsent", TIMED)
_STATISTIC: Final = re.compile(r"p\d{1,2}(\.\d{1,6})?|min|mean|max|count|rate")
_SUBJECT: Final = re.compile(rf"(?P<name>.+)\.(?P<statistic>{_STATISTIC.pattern})")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_QUOTED: Final = re.compile(r"""(?P<quote>["'])(?P<name>(?:\\.|(?!(?P=quote))[^\\])+)(?P=quote)""")
_OTHER_NAMES: Final = {"avg": "mean", "average": "mean", "med": "p50", "median": "p50", "p100": "max",
                       "p999": "p99.9", "p9999": "p99.99"}  # fmt: skip
_LONGEST: Final = 300
_RESEMBLING: Final = 0.75
"""A similarity as measured by `difflib`: that of ``lots`` and ``lost``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A parsed check."""

    expression: str
    """As the user wrote it, with single spaces."""
    name: str
    """The metric, its part, or the total."""
    statistic: str
    """As in the grammar; empty for a number of events."""
    operator: str
    """``<``, ``<=``, ``>`` or ``>=``."""
    bound: float
    """In ns for times, in % for shares, per second for rates."""
    unit: str
    """As written; the measured figure is shown in it, too."""

    @property
    def wanted(self) -> str:
        """The bound, for people."""
        return f"{self.operator} {self._with_unit(_plain(self.bound / UNITS[self.unit]))}"

    def shown(self, value: float) -> str:
        """A figure for people, in the unit that the user chose.

        It has as many digits as figures have elsewhere, and more where it would otherwise read as the bound, or as
        on the other side of it.
        """
        scaled, bound = value / UNITS[self.unit], self.bound / UNITS[self.unit]
        texts = chain((self._usual(scaled),), (significant(scaled, digits) for digits in range(4, 18)))
        text = next(
            text for text in texts if _side(float(text.replace(",", "")), bound) == _side(scaled, bound)
        )
        return self._with_unit(text)

    def _with_unit(self, text: str) -> str:
        return text + ("" if self.unit in ("", "/s") else " ") + self.unit

    def _usual(self, scaled: float) -> str:
        match self.unit:
            case "%":
                return percent(scaled / 100).removesuffix(" %")
            case "/s":
                return rate(scaled)
            case "":
                return _plain(scaled)
        return significant(scaled, 3)


def _plain(value: float) -> str:
    """With all its digits: ``0.1``, ``1,000,000``."""
    return f"{value:,.15g}"


def _side(value: float, bound: float) -> int:
    """-1 below the bound, 0 at it but for the rounding of floats, 1 above it."""
    return 0 if math.isclose(value, bound, rel_tol=1e-15) else 1 if value > bound else -1


@dataclass(frozen=True, slots=True)
class _Subject:
    """The subject of a check, and the units of its bound."""

    name: str
    statistic: str
    known: bool
    """Whether the core or a protocol knows it."""

    @property
    def units(self) -> tuple[str, ...]:
        if self.statistic == "rate":
            if self.name == TIMED:
                return ("%",)
            share = self.name in SHARES or split(self.name)[1] in (LOST, FAILED)
            return ("/s", "%") if share else ("/s",)
        if self.statistic == "count" or (not self.statistic and self.name != TIMED):
            return ("",)
        return ("ms", "s", "us", "µs", "ns")


class _Reader:
    """The expression, and the position in it."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self.at = 0
        if not self.text:
            raise UsageError("the check is empty: write one such as 'message.p99 < 50ms'")
        if len(self.text) > _LONGEST:
            raise UsageError(f"check '{self.text[:40]}…': longer than {_LONGEST} characters")
        if not self.text.isprintable():
            raise UsageError(f"check {self.text!a}: contains unprintable characters")

    def take(self, pattern: str | re.Pattern[str]) -> str:
        """The next part, after any spaces, if it matches the pattern; else empty."""
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1
        found = re.compile(pattern).match(self.text, self.at)
        return found[0] if found else ""

    def refuse(self, problem: str, further: int = 0) -> NoReturn:
        """Raises the error, which quotes the expression and points at the current position plus ``further``."""
        place = " " * (self.at + further)
        raise UsageError(f"check '{self.text}': {problem}\n    {self.text}\n    {place}^")


def parse_check(text: str, known: Labels | None = None) -> Check:
    """Parses an expression; see the grammar above.

    ``known`` are the names stored with a run, by default those of this process. Raises `UsageError`, which
    quotes the expression, points at the mistake and says what is allowed.
    """
    reader = _Reader(text)
    quoted = bool(reader.take(r"[\"']"))
    # Without an operator the first word is the subject, so that the place of the mistake is right.
    written = reader.take(_QUOTED if quoted else r"[^<>=!]+(?=[<>=!])|[^\s<>=!]+").rstrip()
    if not written:
        reader.refuse(
            "the name has no closing quote"
            if quoted
            else "must begin with what to check, as in 'message.p99 < 50ms'"
        )
    names = _Names(reader, (known or labels()).complete())
    if quoted:
        reader.at += len(written)
        tail = reader.take(r"\.[^\s<>=!]*")
        subject = names.quoted(written, tail)
        written, place = written + tail, len(tail)
    else:
        subject, place = names.unquoted(written), len(written)
    asked, problem = missing(subject.name, subject.statistic)
    if problem:
        reader.refuse(problem, place - len(asked))
    reader.at += place
    sign = reader.take(r"[<>=!]+")
    if sign not in _OPERATORS:
        reader.refuse(
            f"'{sign}' is not a comparison: use < <= > or >="
            if sign
            else "a comparison is missing: < <= > or >="
        )
    reader.at += len(sign)
    number = reader.take(_NUMBER)
    if not number:
        reader.refuse("a non-negative number is missing, such as 50 or 0.1")
    reader.at += len(number)
    unit = reader.take(r".*").replace("μs", "µs")  # Greek mu, as some keyboards type it
    allowed = subject.units
    if unit in TIMES and not subject.known and not subject.statistic:
        reader.refuse(f"which figure of {written}? Add one, as in {written}.p99")
    if unit not in allowed:
        problem = f"{written} is not measured in '{unit}'" if unit else f"{written} needs a unit"
        rule = "it takes a bare number" if allowed == ("",) else f"write {', '.join(allowed)}"
        reader.refuse(f"{problem}: {rule}")
    return Check(
        expression=reader.text,
        name=subject.name,
        statistic=subject.statistic,
        operator=sign,
        bound=float(Decimal(number) * UNITS[unit]),
        unit=unit,
    )


class _Names:
    """Splits names, parts and statistics."""

    def __init__(self, reader: _Reader, known: Labels) -> None:
        self._reader = reader
        self._metrics = tuple({MESSAGE: "", **known.metrics})
        self._totals = (FAILURES, *known.counters)

    def quoted(self, written: str, tail: str) -> _Subject:
        """A name in quotes, and what follows it."""
        name = re.sub(r"\\(.)", r"\1", written[1:-1])
        name = one_line(name) if name.strip() else name  # as a run has it
        found = re.fullmatch(
            rf"(?P<part>{'|'.join(map(re.escape, SUFFIXES))})?(\.(?P<statistic>{_STATISTIC.pattern}))?", tail
        )
        if not found:
            statistic = re.sub(rf"^({'|'.join(map(re.escape, SUFFIXES))})(?=\.)", "", tail)
            self._no_statistic(statistic[1:], len(tail) - len(statistic) + 1)
        self._above_zero(found["statistic"] or "", len(found["part"] or "") + 1)
        if found["part"] and not found["statistic"]:
            return self._part(written, name, found["part"], len(tail))
        return _Subject(name + (found["part"] or ""), found["statistic"] or "", known=False)

    def unquoted(self, written: str) -> _Subject:
        """A name without quotes, with its part and statistic."""
        if written in self._totals:
            return _Subject(written, "", known=True)
        found = _SUBJECT.fullmatch(written)
        name, statistic = (found["name"], found["statistic"]) if found else (written, "")
        base, part = split(name)
        if name in self._totals:
            if statistic != "rate":
                self._reader.refuse(f"{name} is a total: it has a rate, and no {statistic}", len(name) + 1)
            return _Subject(name, statistic, known=True)
        self._above_zero(statistic, len(name) + 1)
        known = name in self._metrics or base in self._metrics
        if not known:
            self._resembling(written, name, statistic)
        if part and not statistic:
            return self._part(base, base, part, len(written))
        if known and not statistic:
            self._reader.refuse(f"which figure of {name}? Add one, as in {name}.p99", len(written))
        return _Subject(name, statistic, known)

    def _part(self, written: str, name: str, part: str, place: int) -> _Subject:
        if part in (LOST, FAILED):
            return _Subject(name + part, "", known=True)
        return self._reader.refuse(
            f"which figure of {written}{part}? Add one, as in {written}{part}.p99", place
        )

    def _resembling(self, written: str, name: str, statistic: str) -> None:
        """Refuses a name that is more likely a misspelling than the name of a request."""
        of_metric = max((each for each in self._metrics if name.startswith(f"{each}.")), key=len, default="")
        tail = written[len(of_metric) + 1 :] if of_metric else written.rpartition(".")[2]
        before = of_metric or written.rpartition(".")[0]
        if not statistic and before and (of_metric or tail in _OTHER_NAMES or re.match(r"p\d", tail)):
            self._no_statistic(tail, len(before) + 1)
        pool = [*self._metrics] if statistic not in ("", "rate") else [*self._metrics, *self._totals]
        own = split(name)[0]
        if get_close_matches(own, pool, cutoff=_RESEMBLING):
            near = get_close_matches(own, pool)
            self._reader.refuse(
                f"there is no '{own}': did you mean {' or '.join(near)}? Put a name of your own that "
                "resembles one of wsload's in quotes"
            )

    def _no_statistic(self, tail: str, place: int) -> NoReturn:
        near = get_close_matches(_OTHER_NAMES.get(tail, tail), STATISTICS, n=3)
        hint = f": did you mean {' or '.join(near)}?" if near else f": use {', '.join(STATISTICS)}"
        self._reader.refuse(f"'{tail}' is not a statistic{hint}", place)

    def _above_zero(self, statistic: str, place: int) -> None:
        if statistic.startswith("p") and not float(statistic[1:]):
            self._reader.refuse("percentiles must be above 0: for the smallest value, use min", place)
