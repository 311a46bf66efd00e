"""A stored run with everything that reports show, read in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wsload.errors import ResultsError
from wsload.judge.figures.interruptions import Interruption, interruptions
from wsload.judge.figures.series import Series, SeriesBuilder
from wsload.judge.figures.shape import Opening, Shape, opening, shape
from wsload.judge.figures.summary import Summary, summarize
from wsload.judge.run.rejudge import process_figures_of, rejudge, rejudged
from wsload.judge.run.standing import standing, verdict_of
from wsload.measure.interval import Interval
from wsload.results.reader import open_run
from wsload.results.run import CheckState, RunInfo, RunWarning
from wsload.results.trust import Standing, Trust
from wsload.results.window import Stretch
from wsload.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What reports render."""

    path: Path
    """The run's directory."""
    info: RunInfo
    problems: tuple[str, ...]
    """What is missing, cut off or damaged, one sentence each."""
    summary: Summary
    """Computed from the logs, so that a killed run has one too."""
    stored: Mapping[str, Any]
    """The contents of summary.json; empty if there is none."""
    series: Series
    shapes: Mapping[str, Shape]
    """Percentile curves by metric."""
    opening: Opening
    interruptions: tuple[Interruption, ...]
    trust: Trust
    """As judged at the run's end, or now, where it has none."""

    @property
    def standing(self) -> Standing:
        return standing(self.info, self.problems)

    @property
    def verdict(self) -> str:
        """What the standing means for the reader, in one sentence without its full stop."""
        return verdict_of(self.info, self.standing)

    @property
    def remedy(self) -> str:
        """What helps against that; empty for nothing."""
        return self.info.trust.remedy if self.info.trust is not None else ""

    @property
    def judged(self) -> str:
        """How many checks failed or could not be judged, in one sentence; empty without checks."""
        states = Counter(check.state for check in self.info.checks)
        total = counted(len(self.info.checks), "check")
        told = [
            f"{states[state]} of {total} {what}."
            for state, what in ((CheckState.FAILED, "failed"), (CheckState.UNJUDGED, "could not be judged"))
            if states[state]
        ]
        return " ".join(told) or ("All checks passed." if states else "")

    @property
    def doubts(self) -> tuple[RunWarning, ...]:
        """The run's warnings, worst first, then problems with its files."""
        warnings = sorted(self.info.warnings, key=lambda warning: not warning.invalidates)
        warned = {warning.text for warning in warnings}
        found = (RunWarning(name="files", text=text) for text in self.problems if text not in warned)
        return (*warnings, *found)


def read_report(path: Path, stretch: Stretch | None = None) -> RunReport:
    """The report of a run's directory, including one that was killed or is still going on.

    ``stretch`` is another part of the run than its own window: then it is judged anew, its checks too.

    What follows a damaged line is left out, and named among the problems. Raises `ResultsError` when run.json is
    missing or damaged, or was written by a newer wsload.
    """
    run = open_run(path.resolve())
    problems = [*run.problems]
    info = replace(run.info, window=run.window(stretch))
    watch, builder = process_figures_of(run), SeriesBuilder()

    def drawn() -> Iterator[Interval]:
        for interval in run.intervals():
            builder.add(interval)
            yield interval

    try:
        for interval in info.window.of(drawn(), info.started_at, watch.before):
            watch.add(interval)
    except ResultsError as error:
        problems.append(f"{error}: what follows is left out")
    totals = watch.totals
    stored: Mapping[str, Any] = {}
    with suppress(ResultsError):  # which is among the problems
        stored = run.summary() or {}
    summary, series = summarize(totals, run.info.labels), builder.series()
    if stretch is not None and info.trust is not None:
        info = rejudged(info, watch)
    trust = info.trust or rejudge(info, watch).trust
    return RunReport(
        path=run.path,
        info=info,
        problems=tuple(problems),
        summary=summary,
        stored=stored,
        series=series,
        shapes={metric: shape(totals.histograms[metric]) for metric in summary.metrics},
        opening=opening(totals.histograms),
        interruptions=interruptions(series),
        trust=trust,
    )
