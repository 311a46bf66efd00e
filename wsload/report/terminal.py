"""Tables in the terminal, and what it shows when a run has ended."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from rich import box
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from wsload.judge.figures.summary import Summary
from wsload.judge.run.standing import standing as standing_of
from wsload.judge.run.standing import verdict_of
from wsload.report import tables
from wsload.report.compat import inside
from wsload.report.warnings import collapsed
from wsload.results.run import CheckOutcome, CheckState, RunInfo, RunWarning
from wsload.results.trust import Standing
from wsload.words import BEFORE_UNIT, printable, span

STYLES: Final = {"good": "bold green", "doubtful": "bold yellow", "bad": "bold white on red"}
"""How a verdict is shown, by its tone."""
CHECKS: Final = {
    CheckState.PASSED: ("passed", "green"),
    CheckState.FAILED: ("FAILED", "red"),
    CheckState.UNJUDGED: ("NOT JUDGED", "yellow"),
}
"""The word and the colour of a check."""
_GLUE: Final = "\ue000"
"""Stands for a space at which no line may end; of private use, so no text has it (`printable`)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with its heads and a line below them; figures are never cut off, words may wrap."""

    table: tables.Table
    red: Collection[int] = ()
    """Rows to highlight, from 0."""

    @property
    def _heads(self) -> list[str]:
        units = any(column.unit for column in self.table.columns)
        return [f"{column.title}\n{column.unit}" if units else column.title for column in self.table.columns]

    @property
    def _rows(self) -> list[list[str]]:
        return [[BEFORE_UNIT.sub(_GLUE, printable(cell)) for cell in row] for row in self.table.rows]

    @property
    def width(self) -> int:
        """How many columns of a terminal it takes at least, with nothing wrapped."""
        columns = list(zip(self._heads, *self._rows, strict=True))
        widest = (
            max(Text(line).cell_len for text in column for line in text.split("\n")) for column in columns
        )
        return sum(widest) + len(columns) - 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        heads, rows = self._heads, self._rows
        # Two spaces between columns if they fit, otherwise just the one that belongs to the box.
        gap = int(self.width + len(heads) + 1 <= options.max_width)
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 0, 0, gap), pad_edge=False, show_edge=False)
        for column, head in zip(self.table.columns, heads, strict=True):
            grid.add_column(head, justify=column.align, no_wrap=column.align == "right", overflow="fold")
        doubtful = self.table.doubtful
        for place, row in enumerate(rows):
            cells = (Text(cell, "dim" if (place, at) in doubtful else "") for at, cell in enumerate(row))
            grid.add_row(*cells, style="red" if place in self.red else None)
        yield grid


def as_text(view: RenderableType, stream: IO[str], *, width: int | None = None) -> str:
    """A view as text for this stream: in colour only on a terminal, as wide as that is, or 80 columns.

    Characters that the stream can't write become ``?``.
    """
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    _glue(view)
    with console.capture() as capture:
        console.print(view)
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().replace(_GLUE, " ").splitlines())
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _glue(view: object) -> None:
    """Keeps figures and their units in one line, in all texts of the view: rich wraps even at no-break spaces."""
    if isinstance(view, Text):
        view.plain = BEFORE_UNIT.sub(_GLUE, view.plain)
    for each in inside(view):
        _glue(each)


def show_run(
    info: RunInfo,
    summary: Summary,
    path: Path,
    *,
    problems: Sequence[str] = (),
    file: IO[str] | None = None,
) -> None:
    """Writes the verdict, the tables and where the results are, to standard output or ``file``.

    ``problems`` are those of the run's files.
    """
    stream = file or sys.stdout
    stream.write(as_text(run_view(info, summary, path, standing_of(info, problems)), stream))
    stream.flush()


def run_view(info: RunInfo, summary: Summary, path: Path, standing: Standing) -> Group:
    """What `show_run` writes."""
    metrics = tables.metrics_table(summary, info.trust)
    failures = [tables.failures_table(summary), tables.closes_table(summary)]
    counters = tables.counters_table(summary, info.labels)
    own = tables.own_times_table(summary)
    own_counters = tables.own_counters_table(summary, info.labels)
    parts: list[RenderableType] = ["", _verdict(info, summary, standing)]
    parts += [_warning(warning) for warning in collapsed(info.warnings)]
    parts += [_check(check) for check in info.checks]
    parts += ["", Grid(metrics) if metrics.rows else Text("Nothing was measured.", style="bold")]
    parts += [Text(note, style="dim") for note in metrics.notes]
    for table in failures:
        if table.rows:
            parts += ["", Grid(table)]
    if counters.rows:
        parts += ["", _pairs(counters)]
    if own.rows:
        parts += ["", Text(f"{own.title}:"), Grid(own)]
    if own_counters.rows:
        parts += ["", _pairs(own_counters)]
    parts += ["", Text(f"Results: {printable(str(path))}", overflow="fold")]
    return Group(*parts)


def _verdict(info: RunInfo, summary: Summary, standing: Standing) -> Group:
    about = f"build {printable(info.build)}, {printable(info.target)}, {span(summary.duration_s)}"
    text = Text(f"{printable(verdict_of(info, standing))}.", style=STYLES[standing.tone])
    remedy = [Text(f"Remedy: {printable(info.trust.remedy)}.")] if info.trust and info.trust.remedy else []
    return Group(text, *remedy, Text(about))


def _warning(warning: RunWarning) -> RenderableType:
    text = Text(printable(warning.text), style="bold red" if warning.invalidates else "yellow")
    if warning.remedy:
        text = Text.assemble(text, f"\n  Remedy: {printable(warning.remedy)}")
    return Padding(text, (0, 0, 0, 2), expand=False)


def _check(check: CheckOutcome) -> RenderableType:
    word, colour = CHECKS[check.state]
    style = colour if check.state is CheckState.PASSED else f"bold {colour}"
    told = f"  {printable(check.expression)}  (got {printable(check.explained)})"
    text = Text.assemble((word, style), told)
    return Padding(text, (0, 0, 0, 2), expand=False)


def _pairs(table: tables.Table) -> Columns:
    """A table of two columns as pairs, as many per line as fit."""
    return Columns(
        [Text.assemble((printable(label), "dim"), " ", printable(value)) for label, value in table.rows],
        padding=(0, 3),
    )
