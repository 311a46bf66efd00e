"""Whether both logs of a run end with the same interval.

The writer appends an interval's histograms to one log, and its counts to the other. A file that was copied in part,
because the disk was full, may end anywhere, also between two lines; then the other log tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wsload.errors import ResultsError
from wsload.results import counters, hlog

_BLOCK: Final = 1 << 16


class Ending(NamedTuple):
    """The last interval with histograms."""

    start_ms: int
    """Wall clock, ms since the epoch."""
    length_ms: int
    histograms: int
    """How many it has."""


def ends_differ(histograms: Path, counts: Path, *, started_at: float) -> bool:
    """Whether one of the two logs ends before the other, as far as their last lines can be read.

    ``started_at`` is the run's start, in seconds since the epoch. Raises `ResultsError` if a file can't be read.
    """
    try:
        return _of_histograms(histograms, round(started_at * 1000)) != _of_counts(counts)
    except ValueError:  # which is told, with the line, when the whole log is read
        return False


def _of_histograms(path: Path, base_ms: int) -> Ending | None:
    times = filter(None, map(hlog.times_ms, backwards(path, hlog.MAX_LINE_BYTES)))
    return _ending((base_ms + offset_ms, length_ms, 1) for offset_ms, length_ms in times)


def _of_counts(path: Path) -> Ending | None:
    lines = map(counters.parse, backwards(path, counters.MAX_LINE_BYTES))
    return _ending(
        (round(line.interval.start_s * 1000), round(line.interval.length_s * 1000), line.histograms)
        for line in lines
    )


def _ending(found: Iterable[tuple[int, int, int]]) -> Ending | None:
    """The last interval, from the lines about it and those before, last first; None if none has histograms."""
    last, number = None, 0
    for start_ms, length_ms, histograms in found:
        if histograms:
            last = last or (start_ms, length_ms)
            if last != (start_ms, length_ms):
                break
            number += histograms
    return None if last is None else Ending(*last, number)


def backwards(path: Path, limit: int) -> Iterator[bytes]:
    """A file's lines without their line breaks, last first, except a last line that has none.

    Raises `ValueError` for a line longer than ``limit`` bytes, `ResultsError` if the file can't be read.
    """
    try:
        with path.open("rb") as file:
            begin, rest, whole = file.seek(0, os.SEEK_END), b"", False
            while begin:
                end, begin = begin, max(begin - _BLOCK, 0)
                file.seek(begin)
                rest, *lines = (file.read(end - begin) + rest).split(b"\n")
                if lines and not whole:
                    lines.pop()  # what follows the last line break
                    whole = True
                yield from reversed(lines)
                if len(rest) > limit:
                    raise ValueError(f"a line is longer than {limit} bytes")
            if whole:
                yield rest
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})") from error
