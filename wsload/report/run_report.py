"""A stored run with all that reports show of it, read in one pass: the one place here that reads files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wsload.analysis.interruptions import Interruption, interruptions
from wsload.analysis.series import Series, SeriesBuilder
from wsload.analysis.shape import Opening, Shape, opening, shape
from wsload.analysis.summary import Summary, summarize
from wsload.errors import ResultsError
from wsload.measure.interval import Totals
from wsload.results.reader import open_run
from wsload.results.run import RunInfo


class Standing(StrEnum):
    """Whether a run's figures can be vouched for."""

    VALID = "valid"
    INVALID = "not valid"
    INCOMPLETE = "incomplete"
    """It has no end, or a file of it is missing or damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What reports render."""

    path: Path
    """The run's directory."""
    info: RunInfo
    problems: tuple[str, ...]
    """What is missing, cut off or damaged, one sentence each."""
    summary: Summary
    """Computed from the logs, so a killed run has one too."""
    series: Series
    """The run along its time axis."""
    shapes: dict[str, Shape]
    """Percentile curves by metric."""
    opening: Opening
    """Where the mean time to open went."""
    interruptions: tuple[Interruption, ...]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def standing(self) -> Standing:
        return standing(self.info, self.problems)


def standing(info: RunInfo, problems: tuple[str, ...]) -> Standing:
    """Not valid weighs more than incomplete: it says that the figures are wrong, not that some lack."""
    if info.valid is False:
        return Standing.INVALID
    return Standing.VALID if info.valid and not problems else Standing.INCOMPLETE


def read_report(path: Path) -> RunReport:
    """The report of a run's directory, also of one that was killed or still goes on.

    What follows a damaged line is left out and named among the problems. Raises `ResultsError` when
    run.json is missing or damaged, or was written by a newer wsload.
    """
    run = open_run(path.resolve())
    totals, series = Totals(), SeriesBuilder()
    problems = run.problems
    try:
        for interval in run.intervals():
            totals.add(interval)
            series.add(interval)
    except ResultsError as error:
        problems = (*problems, f"{error}: what follows is left out")
    over_time = series.series()
    summary = summarize(totals)
    return RunReport(
        path=run.path,
        info=run.info,
        problems=problems,
        summary=summary,
        series=over_time,
        shapes={metric: shape(totals.histograms[metric]) for metric in summary.metrics},
        opening=opening(totals.histograms),
        interruptions=interruptions(over_time),
    )
