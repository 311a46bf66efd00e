"""``wsload compare``: whether the candidate is slower than the baseline, by stored runs."""

from __future__ import annotations

from enum import StrEnum
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
from wsload.commands.cli.output import add_to_job_summary, say, write, write_text
from wsload.commands.cli.runs import RESULTS, Results, find_run
from wsload.commands.cli.sides import matching, selected, two
from wsload.commands.cli.window import From, To, stretch_of
from wsload.errors import UsageError
from wsload.words import printable_json

if TYPE_CHECKING:
    from wsload.report.comparison.comparison import ComparisonReport

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Also write a page with charts.", show_default=False),
]


class Format(StrEnum):
    """How a comparison, a search or the list of runs is printed."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How it is printed; json has times in ns.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Also use runs that are not valid, or were made under different conditions."
    ),
]


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B | EXPERIMENT",
            help="The baseline and the candidate, each a run or a build's label, which stands for all runs of "
            "that build; or one experiment of wsload ab.",
            show_default=False,
        ),
    ] = None,
    a: Annotated[
        list[str] | None,
        typer.Option("--a", metavar="RUN…", help="Runs of the baseline, or patterns for their directories."),
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
    from_: From = None,
    to: To = None,
    html: Html = None,
    format_: FormatOption = Format.TERMINAL,
    force: Force = False,
) -> int:
    """Determine from stored runs whether build B is slower than build A.

    \b
    One run per side:      wsload compare results/RUN_A results/RUN_B
    Several runs per side: wsload compare --a 'results/*-v1' --b 'results/*-v2'
    By their build:        wsload compare v1 v2
    An experiment:         wsload compare results/ab-20241122T123600Z

    With several runs per side, the first run of A is compared with the first of B, in the order in which
    they were made, and so on; the scatter of the ratios gives the confidence intervals. Make the runs in
    the order A B B A A B …, or let wsload ab do it: otherwise a machine that drifts looks like a slower
    build. With many runs of A and few of B, the scatter of the runs themselves is used. With one run per
    side, a slower build looks just like a noisy minute, so nothing is judged unless you state how much runs
    scatter (--scatter).

    Lost and failed messages rank above every answered one. A build that loses or refuses more is never called
    faster, and is called not slower only if the increase is within --failures-within.

    Exit codes: 0 shown not to be slower by more than --same-within, nor to fail more; 1 shown to be slower
    or to fail more; 2 usage; 3 no valid runs; 4 inconclusive, also where an experiment is not finished and does
    not show B to be slower or to fail more. If GITHUB_STEP_SUMMARY is set, Markdown is also appended to the
    file that it names.
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

    asked, stretch = gate(Gate()), stretch_of(from_, to)
    words = runs or []
    ways = [bool(words), bool(a or b), bool(baseline or candidate)]
    if sum(ways) != 1:
        raise UsageError(
            "give the runs in exactly one way: two runs (A B), one experiment, --a and --b, or "
            "--baseline and --candidate"
        )
    if len(words) == 1:
        from wsload.commands.ab.experiment import load
        from wsload.commands.ab.judging import report_of

        path = find_run(words[0], results)
        if (path / "run.json").is_file():
            raise UsageError(f"{path} is only one run: give two, A and B; see wsload list")
        if not (path / "experiment.json").is_file():
            raise UsageError(
                f"{str(path)!r} is neither a run nor an experiment of wsload ab: give two runs, A and B, or one "
                "experiment"
            )
        experiment = load(path)
        report = report_of(path, experiment, gate=gate(experiment.plan.gate), force=force, stretch=stretch)
    else:
        from wsload.report.comparison.comparison import make_report

        if words:
            sides = two(words, results)
        elif a or b:
            sides = matching("--a", a, results), matching("--b", b, results)
        else:
            sides = selected("--baseline", baseline, results), selected("--candidate", candidate, results)
        report = make_report(*sides, gate=asked, force=force, stretch=stretch)
    tell(report, html=html, format_=format_)
    return report.comparison.exit_code


def tell(report: ComparisonReport, *, html: Path | None, named: bool = True, format_: Format) -> None:
    """Writes the page, if asked for, and prints the comparison; ``named`` as for `put_out`.

    Raises `UsageError` if the page can't be written.
    """
    from wsload.report.comparison.text import as_json, as_text
    from wsload.report.comparison.text import markdown as as_markdown

    if html is not None:
        from wsload.report.comparison.html import write_page

        write_page(report, html, named=named)
    if format_ is Format.JSON:
        write(printable_json(as_json(report).decode()).encode())
    else:
        write_text(as_markdown(report) if format_ is Format.MARKDOWN else as_text(report))
    if html is not None:
        say(f"Charts: {html}")
    add_to_job_summary(lambda: as_markdown(report))
