"""A comparison in the terminal, as Markdown and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from wsload.judge.compare.verdict import Verdict
from wsload.report.comparison.comparison import LETTERS, ComparisonReport
from wsload.report.comparison.tables import (
    basis_sentence,
    gate_sentence,
    judgements_table,
    runs_table,
    sides_table,
    unused,
)
from wsload.report.grid import Grid
from wsload.report.markdown import escaped, table_lines
from wsload.results.run import dump
from wsload.words import printable

SCHEMA: Final = 1
"""Of the JSON form."""
_STYLES: Final = {
    Verdict.SLOWER: "bold red",
    Verdict.FASTER: "bold green",
    Verdict.SAME: "bold green",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.NO_VALID_RUNS: "bold white on red",
}


def as_text(report: ComparisonReport) -> str:
    """The verdict and the tables for standard output.

    In colour only when that is a terminal, as wide as it is, or 80 columns. Characters that it can't
    write become ``?``.
    """
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(_view(report))
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _view(report: ComparisonReport) -> Group:
    comparison = report.comparison
    headline = Text.assemble(
        (comparison.verdict.upper(), _STYLES[comparison.verdict]), f"  {printable(report.headline)}"
    )
    parts: list[RenderableType] = [headline]
    parts += [Padding(Text(printable(warning), style="yellow"), (0, 0, 0, 2)) for warning in report.warnings]
    if comparison.judgements or comparison.unjudged:
        parts += ["", Grid(judgements_table(report)), "", Text(basis_sentence(report), style="dim")]
    sides = sides_table(report)
    if sides.rows:
        parts += ["", Grid(sides)]
    if reasons := unused(report):
        parts += ["", "Not used:"]
        parts += [Padding(Text(printable(reason)), (0, 0, 0, 2)) for reason in reasons]
    return Group(*parts)


def markdown(report: ComparisonReport) -> str:
    """The comparison for a pull request or a job's summary, with a final newline."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ComparisonReport) -> Iterator[str]:
    yield f"## {escaped(report.b)} against {escaped(report.a)}: {report.comparison.verdict}"
    yield ""
    yield f"**{escaped(report.headline)}**"
    yield ""
    for warning in report.warnings:
        yield f"- {escaped(warning)}"
    if report.warnings:
        yield ""
    for table in (judgements_table(report), sides_table(report)):
        if table.rows:
            yield from table_lines(table)
            yield ""
    if basis := basis_sentence(report):
        yield f"{escaped(basis)}. {escaped(gate_sentence(report))}"
        yield ""
    yield "<details><summary>The runs</summary>"
    yield ""
    yield from table_lines(runs_table(report))
    yield ""
    yield "</details>"


def as_json(report: ComparisonReport) -> bytes:
    """The comparison for machines; times in ns, ratios as factors."""
    comparison = report.comparison
    return dump(
        {
            "schema": SCHEMA,
            "verdict": comparison.verdict,
            "exit_code": comparison.exit_code,
            "headline": report.headline,
            "sides": {LETTERS[side]: name for side, name in report.names.items()},
            "within_run_only": comparison.within_run_only,
            "warnings": report.warnings,
            "judgements": [asdict(each) | {"sentence": each.sentence} for each in comparison.judgements],
            "unjudged": [asdict(each) for each in comparison.unjudged],
            "pairs": comparison.pairs,
            "excluded": [asdict(each) for each in comparison.excluded],
            "gate": asdict(comparison.gate),
            "runs": [
                {
                    "name": run.name,
                    "side": LETTERS[run.side],
                    "build": run.info.build,
                    "started_at": run.figures.started_s,
                    "valid": run.info.valid,
                    "doubt": run.doubt,
                    "values": dict(run.figures.values),
                    "sent_rate": round(run.sent_rate, 3),
                    "server": None
                    if run.server is None
                    else {
                        "cpu_share": run.server.cpu_share,
                        "memory_peak_bytes": run.server.memory_peak_bytes,
                    },
                }
                for run in report.runs
            ],
        }
    )
