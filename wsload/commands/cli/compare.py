"""``wsload compare``: is the candidate slower than the baseline, by runs that are stored already?"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsload.commands.cli.gate import (
    FailuresWithin,
    Judged,
    MinRatio,
    MinShift,
    SameWithin,
    Scatter,
    gate_of,
)
from wsload.commands.cli.runs import RESULTS, Results, find_run
from wsload.commands.cli.sides import matching, selected, two
from wsload.errors import UsageError

if TYPE_CHECKING:
    from wsload.report.comparison.comparison import ComparisonReport

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with the charts too.", show_default=False),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown instead of the tables.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of the tables; times in ns.")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Use runs that are not valid, or were made under other conditions, too."),
]


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B | EXPERIMENT",
            help="Two runs, the baseline first; or one experiment of wsload ab.",
            show_default=False,
        ),
    ] = None,
    a: Annotated[
        list[str] | None,
        typer.Option("--a", metavar="RUN…", help="Runs of the baseline, or patterns of their directories."),
    ] = None,
    b: Annotated[
        list[str] | None,
        typer.Option("--b", metavar="RUN…", help="Runs of the candidate."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD=PATTERN", help="The baseline's runs in --results: build=v1 or name=*-v1."
        ),
    ] = None,
    candidate: Annotated[
        str | None, typer.Option(metavar="FIELD=PATTERN", help="The candidate's runs in --results.")
    ] = None,
    results: Results = RESULTS,
    min_ratio: MinRatio = None,
    min_shift: MinShift = None,
    same_within: SameWithin = None,
    failures_within: FailuresWithin = None,
    judged: Judged = None,
    scatter: Scatter = None,
    html: Html = None,
    markdown: Markdown = False,
    json: Json = False,
    force: Force = False,
) -> int:
    """Say whether build B is slower than build A, by stored runs.

    \b
    One run a side:      wsload compare results/RUN_A results/RUN_B
    Several runs a side: wsload compare --a 'results/*-v1' --b 'results/*-v2'
    By their build:      wsload compare --baseline build=v1 --candidate build=v2
    An experiment:       wsload compare results/ab-20241122T123600Z

    With several runs a side, the first run of A is held against the first of B, in the order in which
    they were made, and so on; how the ratios scatter says how sure one may be. Make the runs in the order
    A B B A A B …, or let wsload ab do it: otherwise a machine that drifts looks like a build that is
    slower. Of many runs of A and few of B, the runs' own scatter is used. One run a side can't tell a
    build from a bad minute: nothing is judged then, unless you say how runs scatter (--scatter).

    Lost and failed messages rank above every answered one, and a build that loses or refuses more is
    never called faster or not slower.

    Exit code: 0 shown not to be slower by more than --same-within, nor to fail more; 1 shown to be slower
    or to fail more; 2 usage; 3 no valid runs; 4 it can't be told. Markdown is also appended to the file
    that GITHUB_STEP_SUMMARY names, when it is set.
    """
    from wsload.judge.compare.verdict import Gate

    def gate(before: Gate) -> Gate:
        return gate_of(
            before,
            min_ratio=min_ratio,
            min_shift=min_shift,
            same_within=same_within,
            failures_within=failures_within,
            judged=judged,
            scatter=scatter,
        )

    asked = gate(Gate())
    words = runs or []
    ways = [bool(words), bool(a or b), bool(baseline or candidate)]
    if sum(ways) != 1:
        raise UsageError(
            "wsload compare: which runs? Give two (A B) or one experiment, or --a and --b, or --baseline "
            "and --candidate: one of these ways"
        )
    if markdown and json:
        raise UsageError("wsload compare: --markdown or --json, not both")
    if len(words) == 1:
        from wsload.commands.ab.experiment import load
        from wsload.commands.ab.judging import report_of

        path = find_run(words[0], results)
        if (path / "run.json").is_file():
            raise UsageError(f"wsload compare: {path} is one run: compare it with which? Give two, A and B")
        experiment = load(path)
        report = report_of(path, experiment, gate=gate(experiment.plan.gate), force=force)
    else:
        from wsload.report.comparison.comparison import make_report

        if words:
            sides = two(words, results)
        elif a or b:
            sides = matching("--a", a, results), matching("--b", b, results)
        else:
            sides = selected("--baseline", baseline, results), selected("--candidate", candidate, results)
        report = make_report(*sides, gate=asked, force=force)
    tell(report, html=html, markdown=markdown, json=json)
    return report.comparison.exit_code


def tell(report: ComparisonReport, *, html: Path | None, markdown: bool, json: bool) -> None:
    """Writes what was asked for, then prints the comparison. Raises `UsageError` where the page can't be."""
    from wsload.report.comparison.text import as_json, as_text
    from wsload.report.comparison.text import markdown as as_markdown

    if html is not None:
        from wsload.report.comparison.html import write_page

        write_page(report, html)
    if json:
        _write(as_json(report))
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        text = as_markdown(report) if markdown else as_text(report)
        _write(text.encode(encoding, "replace"))  # a terminal that can't show a character shows "?"
    if html is not None:
        print(f"Charts: {html}", file=sys.stderr)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(as_markdown(report))
        except OSError as error:  # the verdict is more than its copy
            print(f"wsload: GITHUB_STEP_SUMMARY {summary!r}: {error.strerror}", file=sys.stderr)


def _write(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
