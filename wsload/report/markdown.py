"""A run as GitHub's Markdown: for pull requests and the summaries of CI jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from wsload.report import conditions, tables
from wsload.report.run_report import RunReport
from wsload.report.warnings import collapsed
from wsload.words import printable, when

_SPECIAL: Final = re.compile(r"[\\`*\[\]|~$#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_MENTION: Final = re.compile(r"(?<![A-Za-z0-9_])@(?=[A-Za-z0-9])")
"""What GitHub would notify somebody of, wherever it shows the text."""
_ALERTS: Final = {"bad": "CAUTION", "doubtful": "WARNING"}


def markdown(report: RunReport) -> str:
    """The verdict and the tables, with a final newline."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    info, summary = report.info, report.summary
    yield f"## {escaped(info.build)}"
    yield ""
    about = (info.target, when(info.started_at), *conditions.facts(info, summary))
    yield escaped(", ".join(about))
    yield ""
    verdict = (
        f"**{escaped(report.verdict)}.**{f' Remedy: {escaped(report.remedy)}.' if report.remedy else ''}"
    )
    said = report.judged
    if alert := _ALERTS.get(report.standing.tone):
        yield f"> [!{alert}]"
        yield f"> {verdict} {said}".rstrip()
    else:
        yield f"{verdict} {said}".rstrip()
    yield ""
    for doubt in collapsed(report.doubts):
        strong = f"**{escaped(doubt.text)}**" if doubt.invalidates else escaped(doubt.text)
        yield f"- {strong}{f' ({escaped(doubt.remedy)})' if doubt.remedy else ''}"
    for table in (
        conditions.checks_table(info.checks),
        tables.metrics_table(summary, report.trust),
        conditions.interruptions_table(report.interruptions),
        tables.failures_table(summary),
        tables.closes_table(summary),
        tables.counters_table(summary, info.labels),
        tables.own_times_table(summary),
        tables.own_counters_table(summary, info.labels),
    ):
        if table.rows:
            yield ""
            yield from table_lines(table)
    if not summary.metrics:
        yield ""
        yield "Nothing was measured."


def table_lines(table: tables.Table) -> Iterator[str]:
    """A table with its title above and its notes below."""
    yield f"### {escaped(table.title)}"
    yield ""
    yield _row(
        [f"{column.title} ({column.unit})" if column.unit else column.title for column in table.columns]
    )
    yield f"|{'|'.join(' ---: ' if column.align == 'right' else ' --- ' for column in table.columns)}|"
    for row in table.rows:
        yield _row(row)
    for note in table.notes:
        yield ""
        yield escaped(note)


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def escaped(text: str) -> str:
    """The text escaped, so that nothing in it is markup, a mention, a table's border or a line break."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # GitHub looks for mentions in the finished page, where no escaping is left: a space of no width parts them.
    return _MENTION.sub("@&#8203;", _SPECIAL.sub(r"\\\g<0>", text))
