"""A search in the terminal, as Markdown and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from wsload.report import terminal
from wsload.report.capacity.capacity import CapacityReport
from wsload.report.capacity.sentences import findings, headline
from wsload.report.capacity.tables import steps_table
from wsload.report.markdown import escaped, table_lines
from wsload.report.terminal import STYLES, Grid
from wsload.results.files import dump
from wsload.words import listed, printable

SCHEMA: Final = 1
"""Of the JSON form."""


def as_text(report: CapacityReport) -> str:
    """The table of steps and what was found, for standard output."""
    parts: list[RenderableType] = []
    table = steps_table(report)
    if table.rows:
        parts += [Grid(table), *(Text(note, style="dim") for note in table.notes), ""]
    parts.append(Text(printable(headline(report)), style=STYLES[report.tone]))
    parts += [Padding(Text(printable(each)), (0, 0, 0, 2)) for each in findings(report)]
    parts.append(Text(printable(about(report)), style="dim"))
    return terminal.as_text(Group(*parts), sys.stdout)


def about(report: CapacityReport) -> str:
    """What was searched and for which checks, in one line."""
    return f"{report.load}; required: {listed(report.checks)}"


def markdown(report: CapacityReport) -> str:
    """The search for a pull request or a job's summary, with a final newline."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: CapacityReport) -> Iterator[str]:
    yield f"**{escaped(headline(report))}**"
    yield ""
    for each in findings(report):
        yield f"- {escaped(each)}"
    yield f"- {escaped(about(report))}"
    yield ""
    yield from table_lines(steps_table(report))


def as_json(report: CapacityReport) -> bytes:
    """The search for programs; times in ns, shares from 0 to 1."""
    contrast = report.contrast
    return dump(
        {
            "schema": SCHEMA,
            "exit_code": int(report.exit_code),
            "headline": headline(report),
            "unit": "users" if report.plan.whole else "per second",
            "checks": report.checks,
            "search": asdict(report.plan),
            "contrast": None
            if contrast is None
            else {"verdict": contrast.verdict, "low": contrast.low, "high": contrast.high},
            "sides": [
                {
                    "side": side.letter,
                    "name": side.name,
                    "state": side.look.state,
                    "estimate": side.look.estimate,
                    "low": side.look.low,
                    "high": side.look.high,
                    "load_generator_gave_out_at": side.look.ceiling,
                    "steps": [asdict(step) for step in side.steps],
                }
                for side in report.sides
            ],
        }
    )
