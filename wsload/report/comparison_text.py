"""A comparison in the terminal, as Markdown and as JSON."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import IO, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from wsload.analysis.verdict import Verdict
from wsload.report.comparison import LETTERS, ComparisonReport
from wsload.report.comparison_tables import (
    basis_sentence,
    gate_sentence,
    judgements_table,
    runs_table,
    sides_table,
)
from wsload.report.tables import Table
from wsload.report.terminal import _clean, _Grid
from wsload.results.run import dump

SCHEMA: Final = 1
"""Of the JSON form."""
_STYLES: Final = {
    Verdict.SLOWER: "bold red",
    Verdict.FASTER: "bold green",
    Verdict.SAME: "bold green",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.NO_VALID_RUNS: "bold white on red",
}
_NARROW: Final = 80


def show_comparison(report: ComparisonReport, *, file: IO[str] | None = None) -> None:
    """Writes the verdict and the tables to standard output, or to ``file``.

    In colour only on a terminal, as wide as that is, or 80 columns. Characters that the stream can't
    write become ``?``.
    """
    stream = file or sys.stdout
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(_view(report))
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def _view(report: ComparisonReport) -> Group:
    comparison = report.comparison
    headline = Text.assemble(
        (comparison.verdict.upper(), _STYLES[comparison.verdict]), f"  {_clean(report.headline)}"
    )
    parts: list[RenderableType] = [headline]
    parts += [Padding(Text(_clean(warning), style="yellow"), (0, 0, 0, 2)) for warning in report.warnings]
    if comparison.judgements or comparison.unjudged:
        parts += ["", _Grid(judgements_table(report)), "", Text(basis_sentence(report), style="dim")]
    sides = sides_table(report)
    if sides.rows:
        parts += ["", _Grid(sides)]
    if comparison.excluded:
        parts += ["", "Not used:"]
        doubts = {run.name: run.doubt for run in report.runs}
        parts += [
            Padding(Text(_clean(f"{each.name}: {doubts.get(each.name) or each.reason}")), (0, 0, 0, 2))
            for each in comparison.excluded
        ]
    return Group(*parts)


def markdown(report: ComparisonReport) -> str:
    """The comparison for a pull request or a job's summary."""
    lines = [f"## wsload: {escaped(report.comparison.verdict)}", "", f"**{escaped(report.headline)}**", ""]
    lines += [f"- {escaped(warning)}" for warning in report.warnings]
    if report.warnings:
        lines.append("")
    judged = judgements_table(report)
    if judged.rows:
        lines += [
            *_rows(judged),
            "",
            f"{escaped(basis_sentence(report))}.",
            "",
            escaped(gate_sentence(report)),
            "",
        ]
    for table in (sides_table(report), runs_table(report)):
        if table.rows:
            lines += ["<details>", f"<summary>{escaped(table.title)}</summary>", "", *_rows(table), ""]
            lines += ["</details>", ""]
    return "\n".join(lines)


def _rows(table: Table) -> list[str]:
    heads = [escaped(f"{column.title} {column.unit}".strip()) for column in table.columns]
    marks = ["---" if column.align == "left" else "--:" for column in table.columns]
    return [
        f"| {' | '.join(cells)} |" for cells in (heads, marks, *(map(escaped, row) for row in table.rows))
    ]


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no further cells."""
    text = " ".join(_clean(text).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|#~!" else c for c in text)


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
