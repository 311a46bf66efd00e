"""Reads a results directory, even if its run was killed or is still in progress."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from wsload.errors import ResultsError, UsageError
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import MESSAGE, Kind, split
from wsload.results import counters, hlog
from wsload.results.ending import ends_differ
from wsload.results.files import read_json_file
from wsload.results.run import RunInfo, load
from wsload.results.window import Stretch, Window
from wsload.results.writer import COUNTS, HISTOGRAMS, RUN, SUMMARY, UNWRITTEN
from wsload.words import clock

_NAME: Final = re.compile(r"\d{8}T\d{6}Z-")
"""How the name of a run's directory begins."""
NAMED: Final = 2
"""The first schema whose intervals say what was named; before, there was only `MESSAGE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A results directory; its logs are read on request, one interval at a time."""

    path: Path
    info: RunInfo
    problems: tuple[str, ...]
    """What is missing, cut off or was never written, a sentence each; empty if the run is complete."""

    def intervals(self) -> Iterator[Interval]:
        """The run's intervals in order, as far as its files hold them.

        Raises `ResultsError`, naming the file and line, if a file is damaged.
        """
        lines = hlog.read(self.path / HISTOGRAMS) if (self.path / HISTOGRAMS).is_file() else iter(())
        counts = counters.read(self.path / COUNTS) if (self.path / COUNTS).is_file() else iter(())
        found = _joined(lines, counts)
        return found if self.info.schema >= NAMED else map(_with_name, found)

    def window(self, stretch: Stretch | None = None) -> Window:
        """The window that is asked for, by default the run's own. Raises `UsageError` if it ends before it starts."""
        if stretch is None:
            return self.info.window
        found = stretch.of(self.info.window)
        if found.to_s is not None and found.to_s <= found.from_s:
            raise UsageError(
                f"{self.path.name} was measured from {clock(found.from_s)} on, and --to {clock(found.to_s)} lies "
                "before that: add --from"
            )
        return found

    def measured(
        self, stretch: Stretch | None = None, before: Callable[[Interval], object] = lambda _: None
    ) -> Iterator[Interval]:
        """The intervals in a `window`; raises `UsageError` like that, and `ResultsError` like `intervals`.

        ``before`` is called with each interval before the window.
        """
        return self.window(stretch).of(self.intervals(), self.info.started_at, before)

    def totals(self, stretch: Stretch | None = None) -> Totals:
        """The sum over a `window`; raises `UsageError` like that, and `ResultsError` like `intervals`."""
        return Totals.of(self.measured(stretch))

    def summary(self) -> dict[str, Any] | None:
        """summary.json, or None if there is none.

        Raises `ResultsError` if it is damaged or has an unknown schema.
        """
        path = self.path / SUMMARY
        return _loaded(path) if path.is_file() else None


def open_run(path: Path) -> StoredRun:
    """The run stored in this directory.

    Raises `ResultsError` if there is none, it is damaged, or it was written by a newer wsload.
    """
    run = path / RUN
    data = read_json_file(run)
    try:
        info = RunInfo.from_json(data)
    except ValueError as error:
        raise ResultsError(f"{run}: {error}") from error
    return StoredRun(path=path, info=info, problems=tuple(_problems(path, info)))


def find_runs(results_dir: Path) -> list[Path]:
    """The run directories in a results directory, oldest first (by name).

    One that can't be looked into, such as ``lost+found``, is left out unless it has a run's name. Raises
    `ResultsError` if the results directory itself can't be read.
    """
    try:
        return sorted(filter(_is_run, results_dir.iterdir()))
    except OSError as error:
        raise ResultsError(f"{results_dir}: can't be read ({error.strerror})") from error


def _is_run(path: Path) -> bool:
    try:
        return (path / RUN).is_file()
    except OSError:
        return _NAME.match(path.name) is not None


def _problems(path: Path, info: RunInfo) -> Iterator[str]:
    if info.ended_at is None:
        yield f"{RUN}: the run has not ended: it is still in progress, or was killed"
    unwritten = [warning.text for warning in info.warnings if warning.name == UNWRITTEN]
    yield from unwritten
    measured = info.trust is not None and info.trust.standing.usable
    damaged = [
        problem
        for name, filled in ((HISTOGRAMS, True), (COUNTS, measured))
        if (problem := _damage(path / name, filled=filled))
    ]
    yield from damaged
    whole = info.ended_at is not None and not unwritten and not damaged
    if whole and ends_differ(path / HISTOGRAMS, path / COUNTS, started_at=info.started_at):
        yield f"{HISTOGRAMS} and {COUNTS} don't end with the same interval: one of them lacks its end"
    if not (path / SUMMARY).is_file():
        yield f"{SUMMARY} is missing"
    else:
        try:
            _loaded(path / SUMMARY)
        except ResultsError as error:
            yield str(error)


def _damage(log: Path, *, filled: bool) -> str:
    """What can be seen of a log without reading it, in one sentence; ``filled`` says that it can't be empty."""
    if not log.is_file():
        return f"{log.name} is missing"
    if hlog.is_cut(log):
        return f"{log.name}: the last line is cut off and was ignored"
    return f"{log.name} is empty" if filled and not log.stat().st_size else ""


def _loaded(path: Path) -> dict[str, Any]:
    data = read_json_file(path)
    try:
        return load(data)
    except ValueError as error:
        raise ResultsError(f"{path}: {error}") from error


def _joined(lines: Iterator[hlog.LogLine], counts: Iterator[counters.CountsLine]) -> Iterator[Interval]:
    """Joins each interval's histograms and counts.

    Histograms without counts become intervals of their own; the disk was full, or the writer was killed between
    writing the two files.
    """
    line = next(lines, None)
    for counted in counts:
        interval = counted.interval
        histograms: dict[str, Histogram] = {}
        wanted = (round(interval.start_s * 1000), round(interval.length_s * 1000))
        while line and len(histograms) < counted.histograms:
            if (line.start_ms, line.length_ms) == wanted:
                histograms[line.metric] = line.histogram
            else:
                yield _alone(line)
            line = next(lines, None)
        yield replace(interval, histograms=histograms)
    while line:
        yield _alone(line)
        line = next(lines, None)


def _with_name(interval: Interval) -> Interval:
    tried = (split(metric)[0] for metric in interval.histograms), (what for what, _ in interval.failures)
    return replace(interval, names={MESSAGE: Kind.REQUEST}) if MESSAGE in chain(*tried) else interval


def _alone(line: hlog.LogLine) -> Interval:
    return Interval(
        start_s=line.start_ms / 1000,
        length_s=line.length_ms / 1000,
        histograms={line.metric: line.histogram},
    )
