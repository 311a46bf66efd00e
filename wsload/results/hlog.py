"""HdrHistogram's log format, version 1.3: written and read as the Java reference does.

Header lines, number formats and legend are those of ``HistogramLogWriter.java`` (HdrHistogram 2.1):

    #[Histogram log format version 1.3]
    #[StartTime: 1732278960.123 (seconds since epoch), Fri Nov 22 12:36:00 UTC 2024]
    #[BaseTime: 1732278960.123 (seconds since epoch)]
    "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
    Tag=open,0.000,1.000,12.345,HISTFAAAA…
    0.000,1.000,1.234,HISTFAAAA…

Values are in ns, except the maximum, which is for human readers and in ms. A tag is the metric's name,
percent-encoded except for the characters that every reader accepts: ``Tag=sub%20first``.

Java's ``HistogramLogProcessor`` reads untagged lines by default and fails on a log without any, so one metric
has no tag: ``message`` in a run that has such a request, else the name with the most values in the first
interval that has any. A comment before its first line names it (without the comment, it is ``message``):

    #[Untagged lines are the metric sub%20first]

A run in which nothing was named has no untagged lines, so there the Java tools need a tag (``-tag open``).

Timestamps are relative to the base time, which equals the start time, so that the Java tools and npm
``hdr-histogram-js`` read them alike.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from wsload.errors import ResultsError
from wsload.measure.encoding import MAX_ENCODED_BYTES
from wsload.measure.histogram import Histogram

UNTAGGED: Final = "message"
"""The metric of the untagged lines, unless a comment names another."""
MAX_LINE_BYTES: Final = MAX_ENCODED_BYTES + 200

_SAFE: Final = "!\"#$&'()*+/:;<=>?@[]^`{|}"
"""Special characters allowed in a tag; all others are percent-encoded (RFC 3986)."""

_VERSION: Final = re.compile(r"#\[Histogram log format version (\d{1,4})\.(\d{1,4})\]")
_DEFAULT: Final = re.compile(r"#\[.*[Uu]ntagged lines are the metric (\S{1,1300})\]")
_TIME: Final = re.compile(r"#\[(StartTime|BaseTime): (\d{1,12}(?:\.\d{1,9})?) ")
_LINE: Final = re.compile(
    r"(?:Tag=(?P<tag>[^, \r\n]{1,1300}),)?"
    r"(?P<start>\d{1,12}(?:\.\d{1,9})?),(?P<length>\d{1,12}(?:\.\d{1,9})?),\d{1,20}(?:\.\d{1,9})?,"
    r"(?P<histogram>[A-Za-z0-9+/=]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One metric's values of one interval."""

    metric: str
    start_ms: int
    """Wall clock, ms since the epoch."""
    length_ms: int
    histogram: Histogram


def header(start_ms: int) -> bytes:
    """The first lines of a log whose timestamps are relative to ``start_ms`` (ms since the epoch)."""
    seconds = f"{start_ms / 1000:.3f} (seconds since epoch)"
    return (
        "#[Histogram log format version 1.3]\n"
        f"#[StartTime: {seconds}, {java_date(start_ms / 1000)}]\n"
        f"#[BaseTime: {seconds}]\n"
        "#[Values are ns; tags are percent-encoded]\n"
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    ).encode()


def java_date(seconds: float) -> str:
    """A time (seconds since the epoch) as Java's ``Date`` prints it in UTC."""
    weekday, month, day, clock, year = time.asctime(time.gmtime(seconds)).split()
    return f"{weekday} {month} {day:0>2} {clock} UTC {year}"


def untagged(metric: str) -> bytes:
    """The comment that names the metric of the untagged lines after it."""
    return f"#[Untagged lines are the metric {quote(metric, safe=_SAFE)}]\n".encode()


def line(metric: str | None, histogram: Histogram, *, offset_ms: int, length_ms: int) -> bytes:
    """One line of the log, untagged if ``metric`` is None; ``offset_ms`` counts from the log's start."""
    tag = "" if metric is None else f"Tag={quote(metric, safe=_SAFE)},"
    numbers = f"{offset_ms / 1000:.3f},{length_ms / 1000:.3f},{histogram.max_ns / 1e6:.3f},"
    return f"{tag}{numbers}".encode() + histogram.encode() + b"\n"


def read(path: Path) -> Iterator[LogLine]:
    """The log's lines in order, except a last line that was cut off by a killed writer (see `is_cut`).

    Raises `ResultsError`, naming the file and line, for anything that is not a histogram log.
    """
    base_ms, default = 0, UNTAGGED
    for number, data in enumerate(whole_lines(path, MAX_LINE_BYTES), start=1):
        try:
            text = data.decode("ascii").rstrip("\r")
            if text.startswith("#"):
                _check_version(text)
                moment = _TIME.match(text)
                if moment and moment[1] == "BaseTime":
                    base_ms = round(float(moment[2]) * 1000)
                if named := _DEFAULT.match(text):
                    default = unquote(named[1], errors="strict")
            elif text and not text.startswith('"'):
                yield _parsed(text, base_ms, default)
        except ValueError as error:
            raise ResultsError(f"{path}, line {number}: {error}") from error


def _check_version(comment: str) -> None:
    version = _VERSION.match(comment)
    if version and version[1] != "1":
        raise ValueError(f"histogram log format {version[1]}.{version[2]} is unknown; wsload reads 1.3")


def _parsed(text: str, base_ms: int, default: str) -> LogLine:
    found = _LINE.fullmatch(text)
    if not found:
        raise ValueError(f"not a line of a histogram log: {text[:40]!r}")
    return LogLine(
        metric=_unquoted(found["tag"]) if found["tag"] else default,
        start_ms=base_ms + round(float(found["start"]) * 1000),
        length_ms=round(float(found["length"]) * 1000),
        histogram=Histogram.decode(found["histogram"]),
    )


def times_ms(data: bytes) -> tuple[int, int] | None:
    """The start, relative to the base time, and length of a line of the log; None for a header or comment.

    Raises `ValueError` for anything else.
    """
    text = data.decode("ascii").rstrip("\r")
    if not text or text.startswith(("#", '"')):
        return None
    found = _parsed(text, 0, UNTAGGED)
    return found.start_ms, found.length_ms


@lru_cache(1024)  # a few names in thousands of lines
def _unquoted(tag: str) -> str:
    return unquote(tag, errors="strict")


def whole_lines(path: Path, limit: int) -> Iterator[bytes]:
    """The file's lines without their line breaks, except a last line that has none.

    Raises `ResultsError` for a line longer than ``limit`` bytes, or if the file can't be read.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(limit + 1):
                number += 1
                if data.endswith(b"\n"):
                    yield data[:-1]
                elif len(data) > limit:
                    raise ResultsError(f"{path}, line {number}: longer than {limit} bytes")
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})") from error


def is_cut(path: Path) -> bool:
    """Whether the file's last line has no line break, because its writer was killed while writing it.

    Raises `ResultsError` if the file can't be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            return file.read(1) not in {b"\n", b""}
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})") from error
