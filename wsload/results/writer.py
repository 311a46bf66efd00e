"""Writes a results directory during the run, one interval at a time.

`RunWriter.append` writes each interval with one system call per file before it returns, so a process that is killed
loses at most the current interval. A full disk never stops the load: intervals that could not be written are
counted, and reported in `RunWriter.problem` and as a warning.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from wsload.errors import NotWritten, unwritten
from wsload.measure.gathering import RunNames
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import in_order, labels, leading
from wsload.redact import plain, redact_url, redacted
from wsload.results import counters, hlog
from wsload.results.files import dump, new_directory, replace_file
from wsload.results.machine import describe_host, versions
from wsload.results.run import CheckOutcome, RunInfo, RunWarning
from wsload.results.trust import Trust
from wsload.results.window import WHOLE, Window
from wsload.words import stamp

RUN: Final = "run.json"
HISTOGRAMS: Final = "histograms.hlog"
COUNTS: Final = "counters.jsonl"
SUMMARY: Final = "summary.json"

UNWRITTEN: Final = "results-incomplete"
"""The name of the warning that intervals could not be written."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+]+")
_LONGEST_NAME: Final = 60


class _Log:
    """An append-only file that undoes partial writes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._size = 0

    def append(self, piece: bytes) -> None:
        """Appends all or nothing. Raises `OSError`, also if the file was removed."""
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the file was removed")
        view = memoryview(piece)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            self._file.truncate(self._size)
            self._file.seek(self._size)
            raise
        self._size += len(piece)

    def close(self) -> None:
        self._file.close()


class RunWriter:
    """The results directory of a run in progress: `create` makes it, `finish` completes it."""

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.path = path
        """The run's directory."""
        self.info = info
        """The current contents of run.json."""
        self.totals = Totals()
        """Everything appended so far, including what could not be written."""
        self.problem: str | None = None
        """How many intervals could not be written, and why; None if all were."""
        self._unwritten = 0
        self._names = RunNames()
        self._untagged: str | None = None
        """The metric of the untagged lines; None until something was named."""
        self._start_ms = round(info.started_at * 1000)
        replace_file(path / RUN, info.to_json())
        self._histograms = _Log(path / HISTOGRAMS)
        self._counts = _Log(path / COUNTS)
        self._histograms.append(hlog.header(self._start_ms))

    @classmethod
    def create(
        cls,
        results_dir: Path,
        *,
        build: str,
        target: str,
        options: Mapping[str, object],
        started_at: float,
        workload: Mapping[str, object] | None = None,
    ) -> RunWriter:
        """Makes a new directory ``<YYYYMMDDThhmmssZ>-<build>`` in ``results_dir``, with its run.json.

        ``started_at`` is wall clock, seconds since the epoch. ``options`` and ``target`` may hold secrets, which
        are removed. Raises `UsageError` when the directory can't be written, `NotWritten` when the disk is full.
        """
        info = RunInfo(
            build=plain(build),
            target=redact_url(target),
            started_at=round(started_at, 3),
            options=redacted(options),
            workload=dict(workload or {}),
            versions=versions(),
            host=describe_host(),
            labels=labels(),
        )
        path: Path | None = None
        try:
            path = new_directory(results_dir, f"{stamp(info.started_at)}-{_file_safe(build)}")
            return cls(path, info)
        except OSError as error:
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)  # otherwise it would pass for a run that was killed
            raise unwritten(
                error,
                f"results directory {str(results_dir)!r}: can't be written to ({error.strerror}); "
                "name another one",
            ) from error

    def name_partner(self, partner: str) -> None:
        """Names the run that is made at the same time, in run.json from now on."""
        self.info = replace(self.info, partner=partner)
        replace_file(self.path / RUN, self.info.to_json())

    def append(self, interval: Interval) -> Interval:
        """Adds the next interval to the files and to `totals`, and returns it as stored. Takes 3 ms for 14 metrics.

        Times are rounded to ms, and clamped to the run's start; see `RunNames` for what is beyond a limit. Does
        not raise when the disk is full or gone; see `problem`.
        """
        if not interval:
            return interval
        start_ms = max(round(interval.start_s * 1000), self._start_ms)
        length_ms = max(round(interval.length_s * 1000), 1)
        admitted = self._names.admit(interval)
        interval = replace(
            admitted,
            start_s=start_ms / 1000,
            length_s=length_ms / 1000,
            details={failure: plain(detail) for failure, detail in admitted.details.items()},
        )
        self.totals.add(interval)
        comment = self._choose_untagged(interval)
        lines = [
            hlog.line(
                None if metric == self._untagged else metric,
                interval.histograms[metric],
                offset_ms=start_ms - self._start_ms,
                length_ms=length_ms,
            )
            for metric in in_order(interval.histograms)
            if interval.histograms[metric].total
        ]
        try:
            self._histograms.append(b"".join((comment, *lines)))
            self._counts.append(counters.line(interval, len(lines)))
        except OSError as error:
            self._unwritten += 1
            self.problem = (
                f"{self._unwritten} of {self.totals.intervals} intervals could not be written to "
                f"{self.path} ({error.strerror})"
            )
            if comment:
                self._untagged = None  # the log doesn't say so yet
        return interval

    def _choose_untagged(self, interval: Interval) -> bytes:
        """The comment that names the metric of the untagged lines, in the interval that decides it; else empty."""
        if self._untagged is None:
            counts = {metric: histogram.total for metric, histogram in interval.histograms.items()}
            if found := leading(counts, self.totals.names):
                self._untagged = hlog.UNTAGGED if hlog.UNTAGGED in self.totals.names else found
                return hlog.untagged(self._untagged)
        return b""

    def warnings(self) -> list[RunWarning]:
        """A warning if intervals could not be written."""
        if self.problem is None:
            return []
        remedy = "free disk space and run again: the log lacks data that the summary includes"
        return [RunWarning(name=UNWRITTEN, text=self.problem, remedy=remedy)]

    def discard(self) -> None:
        """Removes the directory of a run that has not begun."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Closes the logs without completing the run, which then reads as one that was cut short."""
        self._histograms.close()
        self._counts.close()

    def finish(
        self,
        summary: Mapping[str, object],
        *,
        ended_at: float,
        trust: Trust,
        window: Window = WHOLE,
        warnings: Iterable[RunWarning] = (),
        checks: Iterable[CheckOutcome] = (),
    ) -> None:
        """Closes the logs, and writes summary.json and the final run.json.

        ``summary`` comes from `wsload.judge.figures.summary.Summary.to_json`; ``ended_at`` is wall clock, seconds
        since the epoch. Raises `NotWritten` when the files can't be written.
        """
        self.close()
        self.info = replace(
            self.info,
            ended_at=round(ended_at, 3),
            trust=trust,
            window=window,
            warnings=(*warnings, *self.warnings()),
            checks=tuple(checks),
            labels=labels(),
        )
        try:
            replace_file(self.path / SUMMARY, dump(summary))
            replace_file(self.path / RUN, self.info.to_json())
        except OSError as error:
            raise NotWritten(f"{self.path}: the run's end could not be written ({error.strerror})") from error


def _file_safe(build: str) -> str:
    return _UNSAFE.sub("-", build).strip("-.")[:_LONGEST_NAME] or "unnamed"
