"""What a person sees in the terminal when a run has ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Final

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from wsload.judge.figures.summary import Summary
from wsload.report import tables
from wsload.report.grid import Grid
from wsload.results.run import CheckOutcome, CheckState, RunInfo, RunWarning
from wsload.words import printable, span

_CHECKS: Final = {
    CheckState.PASSED: ("passed", "green"),
    CheckState.FAILED: ("FAILED", "bold red"),
    CheckState.UNJUDGED: ("NOT JUDGED", "bold yellow"),
}


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
    counters = tables.counters_table(summary, info.labels)
    parts: list[RenderableType] = ["", _verdict(info, summary)]
    parts += [_warning(warning) for warning in info.warnings]
    parts += [_check(check) for check in info.checks]
    parts += ["", Grid(metrics) if metrics.rows else Text("Nothing was measured.", style="bold")]
    for table in failures:
        if table.rows:
            parts += ["", Grid(table)]
    if counters.rows:
        parts += ["", _pairs(counters)]
    parts += ["", Text(f"Results: {printable(str(path))}", overflow="fold")]
    return Group(*parts)


def _verdict(info: RunInfo, summary: Summary) -> Text:
    about = f"build {printable(info.build)}, {printable(info.target)}, {span(summary.duration_s)}"
    if info.valid is None:
        return Text.assemble(("Not ended", "bold yellow"), f": {about}")
    if info.valid:
        return Text.assemble(("Valid", "bold green"), f": {about}")
    return Text.assemble(
        ("NOT VALID", "bold white on red"), (": don't trust these figures", "bold red"), f" ({about})"
    )


def _warning(warning: RunWarning) -> RenderableType:
    text = Text(printable(warning.text), style="bold red" if warning.invalidates else "yellow")
    if warning.remedy:
        text = Text.assemble(text, f"\n  Remedy: {printable(warning.remedy)}")
    return Padding(text, (0, 0, 0, 2), expand=False)


def _check(check: CheckOutcome) -> RenderableType:
    text = Text.assemble(
        _CHECKS[check.state], f"  {printable(check.expression)}  (got {printable(check.explained)})"
    )
    return Padding(text, (0, 0, 0, 2), expand=False)


def _pairs(table: tables.Table) -> Columns:
    """A table of two columns as running pairs, as many a line as fit."""
    return Columns(
        [Text.assemble((printable(label), "dim"), " ", printable(value)) for label, value in table.rows],
        padding=(0, 3),
    )
