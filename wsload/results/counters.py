"""counters.jsonl: the counts of each interval, one JSON object a line.

    {"t": 1732278960.123, "length_s": 1.0, "histograms": 9, "counters": {"sent": 50}, "gauges": {"users": 50},
     "failures": {"open: refused": 2}, "details": {"open: refused": "Connection refused"},
     "closes": {"1006": 2}, "names": {"buy": "request"}}

``t`` is wall clock, in seconds since the epoch to the millisecond; ``histograms`` is the number of
lines that the same interval has in histograms.hlog, with the same time and length. ``names`` holds the
requests, steps and values that were first named in that interval, ``details`` the particulars of one
failure of each kind that first occurred in it; older files lack them. For a failure's key see
`wsload.measure.keys`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from wsload.errors import ResultsError
from wsload.measure.interval import Interval
from wsload.measure.keys import join_key, split_key
from wsload.measure.names import Kind
from wsload.results.hlog import whole_lines

MAX_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsLine:
    """One line of the file."""

    interval: Interval
    """Without its histograms."""
    histograms: int
    """How many lines of the histogram log belong to it."""


def line(interval: Interval, histograms: int) -> bytes:
    """The line of an interval that has this many lines in the histogram log."""
    return orjson.dumps(
        {
            "t": interval.start_s,
            "length_s": interval.length_s,
            "histograms": histograms,
            "counters": interval.counters,
            "gauges": interval.gauges,
            "failures": {join_key(what, kind): number for (what, kind), number in interval.failures.items()},
            "details": {join_key(what, kind): detail for (what, kind), detail in interval.details.items()},
            "closes": {str(code): number for code, number in interval.closes.items()},
            "names": interval.names,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def read(path: Path) -> Iterator[CountsLine]:
    """The file's lines in order, except a last line that is cut off.

    Raises `ResultsError`, naming the file and line, for any other malformed line.
    """
    for number, data in enumerate(whole_lines(path, MAX_LINE_BYTES), start=1):
        try:
            yield parse(data)
        except ValueError as error:
            raise ResultsError(f"{path}, line {number}: not a line of counters ({error})") from error


def parse(data: bytes) -> CountsLine:
    """One line, without its line break; raises `ValueError` for anything else."""
    found = orjson.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    histograms = found.get("histograms")
    if type(histograms) is not int or histograms < 0:
        raise ValueError("'histograms' is not a number of lines")
    interval = Interval(
        start_s=_seconds(found, "t"),
        length_s=_seconds(found, "length_s"),
        counters=_counts(found, "counters"),
        gauges=_counts(found, "gauges"),
        failures={split_key(key): number for key, number in _counts(found, "failures").items()},
        details={split_key(key): detail for key, detail in _texts(found, "details").items()},
        closes={int(code): number for code, number in _counts(found, "closes").items()},
        names=_names(found),
    )
    return CountsLine(interval=interval, histograms=histograms)


def _seconds(found: dict[str, Any], key: str) -> float:
    value = found.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError(f"{key!r} is not a number of seconds")
    return float(value)


def _counts(found: dict[str, Any], key: str) -> dict[str, int]:
    value = found.get(key, {})
    if not isinstance(value, dict) or not all(
        type(number) is int and number >= 0 for number in value.values()
    ):
        raise ValueError(f"{key!r} does not hold counts")
    return value


def _texts(found: dict[str, Any], key: str) -> dict[str, str]:
    value = found.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"{key!r} does not hold texts")
    return value


def _names(found: dict[str, Any]) -> dict[str, Kind]:
    value = found.get("names", {})
    if not isinstance(value, dict):
        raise ValueError("'names' is not an object")
    return {name: Kind(kind) for name, kind in value.items()}
