"""A comparison in the terminal, as Markdown and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from wsload.judge.compare.pairs import Side
from wsload.report import terminal
from wsload.report.comparison.comparison import ComparisonReport
from wsload.report.comparison.sentences import basis_sentence, headline
from wsload.report.comparison.tables import judgements_table, run_values, runs_table, sides_table, unused
from wsload.report.markdown import escaped, table_lines
from wsload.report.terminal import STYLES, Grid
from wsload.results.files import dump
from wsload.results.trust import Standing
from wsload.words import printable

SCHEMA: Final = 2
"""Of the JSON form."""


def as_text(report: ComparisonReport) -> str:
    """The verdict and the tables for standard output."""
    return terminal.as_text(_view(report), sys.stdout)


def _view(report: ComparisonReport) -> Group:
    verdict = report.comparison.verdict
    said = Text.assemble((verdict.upper(), STYLES[verdict.tone]), f"  {printable(headline(report))}")
    parts: list[RenderableType] = [said]
    parts += [Padding(Text(printable(warning), style="yellow"), (0, 0, 0, 2)) for warning in report.warnings]
    verdicts = judgements_table(report)
    if verdicts.rows:
        parts += ["", Grid(verdicts), "", Text(basis_sentence(report), style="dim")]
    parts += [Text(printable(note), style="dim") for note in verdicts.notes]
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
    a, b = (escaped(report.called(side)) for side in Side)
    yield f"## {b} compared with {a}: {report.comparison.verdict}"
    yield ""
    yield f"**{escaped(headline(report))}**"
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
        yield f"{escaped(basis)}."
        yield ""
    yield "<details><summary>The runs</summary>"
    yield ""
    yield from table_lines(runs_table(report))
    yield ""
    yield "</details>"


def as_json(report: ComparisonReport) -> bytes:
    """The comparison for programs; times in ns, ratios as factors, shares from 0 to 1."""
    comparison = report.comparison
    return dump(
        {
            "schema": SCHEMA,
            "verdict": comparison.verdict,
            "exit_code": int(comparison.exit_code),
            "headline": headline(report),
            "sides": {side.letter: name for side, name in report.names.items()},
            "basis": comparison.basis,
            "warnings": report.warnings,
            "judgements": [each.to_json() for each in comparison.judgements],
            "unjudged": [asdict(each) for each in comparison.unjudged],
            "pairs": comparison.pairs,
            "excluded": [asdict(each) for each in comparison.excluded],
            "gate": asdict(comparison.gate),
            "runs": [
                {
                    "name": run.name,
                    "side": run.side.letter,
                    "build": run.info.build,
                    "started_at": run.figures.started_s,
                    "standing": run.info.trust.standing if run.info.trust else Standing.INCOMPLETE,
                    "doubt": run.doubt,
                    "attempts": {name: each.attempts for name, each in run.figures.outcomes.items()},
                    "values": dict(run_values(run, report.metrics)),
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
