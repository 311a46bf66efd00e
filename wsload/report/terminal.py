"""What a person sees in the terminal when a run has ended."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich import box
from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from wsload.analysis.summary import Summary
from wsload.report import tables
from wsload.results.run import CheckOutcome, RunInfo, RunWarning

_CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\ufffd")


def show_run(info: RunInfo, summary: Summary, path: Path, *, file: IO[str] | None = None) -> None:
    """Writes the verdict, the tables and the place of the results.

    To standard output, or to ``file``; in colour only on a terminal, as wide as the terminal is, or
    80 columns. Characters that the stream can't write become ``?``.
    """
    stream = file or sys.stdout
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(run_view(info, summary, path))
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def run_view(info: RunInfo, summary: Summary, path: Path) -> Group:
    """What `show_run` writes, as something rich can render."""
    metrics = tables.metrics_table(summary)
    failures = [tables.failures_table(summary), tables.closes_table(summary)]
    counters = tables.counters_table(summary)
    parts: list[RenderableType] = ["", _verdict(info, summary)]
    parts += [_warning(warning) for warning in info.warnings]
    parts += [_check(check) for check in info.checks]
    parts += ["", _Grid(metrics) if metrics.rows else Text("Nothing was measured.", style="bold")]
    for table in failures:
        if table.rows:
            parts += ["", _Grid(table)]
    if counters.rows:
        parts += ["", _pairs(counters)]
    parts += ["", Text(f"Results: {_clean(str(path))}", overflow="fold")]
    return Group(*parts)


def _verdict(info: RunInfo, summary: Summary) -> Text:
    about = f"build {_clean(info.build)}, {_clean(info.target)}, {summary.duration_s:,.1f} s"
    if info.valid is None:
        return Text.assemble(("Not ended", "bold yellow"), f": {about}")
    if info.valid:
        return Text.assemble(("Valid", "bold green"), f": {about}")
    return Text.assemble(
        ("NOT VALID", "bold white on red"), (": don't trust these figures", "bold red"), f" ({about})"
    )


def _warning(warning: RunWarning) -> RenderableType:
    text = Text(_clean(warning.text), style="bold red" if warning.invalidates else "yellow")
    if warning.remedy:
        text = Text.assemble(text, f"\n  Remedy: {_clean(warning.remedy)}")
    return Padding(text, (0, 0, 0, 2), expand=False)


def _check(check: CheckOutcome) -> RenderableType:
    verdict = ("passed", "green") if check.passed else ("FAILED", "bold red")
    text = Text.assemble(verdict, f"  {_clean(check.expression)}  (got {_clean(check.got)})")
    return Padding(text, (0, 0, 0, 2), expand=False)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The table with its heads and a line below them; figures are never cut, words may wrap."""

    table: tables.Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        units = any(column.unit for column in self.table.columns)
        heads = [f"{column.title}\n{column.unit}" if units else column.title for column in self.table.columns]
        rows = [[_clean(cell) for cell in row] for row in self.table.rows]
        columns = zip(heads, *rows, strict=True)
        width = sum(max(cell_len(line) for text in column for line in text.split("\n")) for column in columns)
        # Two spaces between columns where they fit, else the one that the box itself has.
        gap = int(width + 2 * len(heads) <= options.max_width)
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 0, 0, gap), pad_edge=False, show_edge=False)
        for column, head in zip(self.table.columns, heads, strict=True):
            grid.add_column(head, justify=column.align, no_wrap=column.align == "right", overflow="fold")
        for row in rows:
            grid.add_row(*map(Text, row))
        yield grid


def _pairs(table: tables.Table) -> Columns:
    """A table of two columns as running pairs, as many a line as fit."""
    return Columns(
        [Text.assemble((_clean(label), "dim"), " ", _clean(value)) for label, value in table.rows],
        padding=(0, 3),
    )


def _clean(text: str) -> str:
    """Without control characters: what a server sent must not steer the terminal."""
    return text.translate(_CONTROL)
