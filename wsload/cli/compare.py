"""``wsload compare``: is the candidate slower than the baseline, by runs that are stored already?"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from wsload.cli.runs import RESULTS, Results, find_run
from wsload.errors import ResultsError, UsageError

if TYPE_CHECKING:
    from wsload.analysis.verdict import Gate
    from wsload.report.comparison import ComparisonReport

_NUMBER: Final = r"(\d+(?:\.\d+)?)\s*"
_DURATION: Final = re.compile(_NUMBER + r"(ns|us|µs|μs|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PERCENT: Final = re.compile(_NUMBER + "%")
_SIDES: Final = ("--a", "--b")
_FIELDS: Final = ("build", "name")

MinRatio = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="Slower means slower by more than this, with the whole interval. Default: 3%.",
        show_default=False,
    ),
]
MinShift = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="… and by more than this: 3 % of 0.2 ms are of no interest. Default: 100us.",
        show_default=False,
    ),
]
SameWithin = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="The same means shown to differ by less than this. Default: 10%.",
        show_default=False,
    ),
]
Judged = Annotated[
    list[str] | None,
    typer.Option(
        "--judge",
        metavar="METRIC",
        help="Judge only this, repeatable: a metric (message) or a statistic of it (message.p99). Default: "
        "p50, p95 and p99 of open, login, message and delivery.",
    ),
]
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


class ManyPaths(TyperCommand):
    """A command whose ``--a`` and ``--b`` take all the words up to the next option.

    So that the shell may expand their patterns: ``--a results/*-v1 --b results/*-v2``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives each of the words its own ``--a``."""
        return super().parse_args(ctx, spread(args))


def spread(words: Sequence[str]) -> list[str]:
    """``--a x y --force`` as ``--a=x --a=y --force``."""
    found: list[str] = []
    option = ""
    for word in words:
        if word.startswith("-"):
            option = word if word in _SIDES else ""
            if not option:
                found.append(word)
        else:
            found.append(f"{option}={word}" if option else word)
    return found


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B | EXPERIMENT]",
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
        typer.Option(metavar="FIELD=PATTERN", help="The baseline's runs in --results: build=v1 or name=*-v1."),
    ] = None,
    candidate: Annotated[
        str | None, typer.Option(metavar="FIELD=PATTERN", help="The candidate's runs in --results.")
    ] = None,
    results: Results = RESULTS,
    min_ratio: MinRatio = None,
    min_shift: MinShift = None,
    same_within: SameWithin = None,
    judged: Judged = None,
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
    they were made, and so on; the interval of their ratio says how sure one may be. Make the runs in
    the order A B B A A B …, or let wsload ab do it: otherwise a machine that drifts looks like a build
    that is slower. One run a side can't tell a build from a bad moment, and the answer says so.

    Exit code: 0 not slower, 1 slower, 2 usage, 3 no valid runs, 4 inconclusive. Markdown is also
    appended to the file that GITHUB_STEP_SUMMARY names, when it is set.
    """
    from wsload.analysis.verdict import Gate

    def gate(before: Gate) -> Gate:
        return gate_of(before, min_ratio, min_shift, same_within, judged)

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
        from wsload.cli.ab import experiment_report

        report = experiment_report(find_run(words[0], results), gate=gate, force=force)
    else:
        from wsload.report.comparison import make_report

        if words:
            sides = _two(words, results)
        elif a or b:
            sides = _matching("--a", a, results), _matching("--b", b, results)
        else:
            sides = _with("--baseline", baseline, results), _with("--candidate", candidate, results)
        report = make_report(*sides, gate=asked, force=force)
    tell(report, html=html, markdown=markdown, json=json)
    return report.comparison.exit_code


def tell(report: ComparisonReport, *, html: Path | None, markdown: bool, json: bool) -> None:
    """Prints the comparison, and writes what was asked for. Raises `UsageError` where it can't."""
    from wsload.report.comparison_text import as_json, as_text
    from wsload.report.comparison_text import markdown as as_markdown

    if json:
        sys.stdout.write(as_json(report).decode())
    elif markdown:
        sys.stdout.write(as_markdown(report))
    else:
        sys.stdout.write(as_text(report))
    sys.stdout.flush()
    if html is not None:
        from wsload.report.comparison_html import write_page

        write_page(report, html)
        print(f"Charts: {html}", file=sys.stderr)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(as_markdown(report))
        except OSError as error:
            raise UsageError(f"GITHUB_STEP_SUMMARY {summary!r}: {error.strerror}") from None


def gate_of(
    before: Gate,
    min_ratio: str | None,
    min_shift: str | None,
    same_within: str | None,
    judged: Sequence[str] | None,
) -> Gate:
    """The gate with what the options change in it; raises `UsageError` naming the one that is wrong."""
    from wsload.analysis.verdict import JUDGEABLE

    for name in judged or ():
        if not any(_covers(name, each) for each in JUDGEABLE):
            raise UsageError(f"--judge {name!r}: can't be judged; choose from {', '.join(JUDGEABLE)}")
    given = {
        "ratio": min_ratio and percent("--min-ratio", min_ratio),
        "shift_ns": min_shift and round(duration_s("--min-shift", min_shift) * 1e9),
        "same_within": same_within and percent("--same-within", same_within),
        "judged": judged
        and tuple(each for each in JUDGEABLE if any(_covers(name, each) for name in judged)),
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, "", [])}
    return replace(before, **changes)


def _covers(name: str, statistic: str) -> bool:
    return name in (statistic, statistic.rpartition(".")[0])


def percent(option: str, text: str) -> float:
    """``3%`` as 0.03; raises `UsageError`."""
    found = _PERCENT.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{option} {text!r}: a percentage is wanted, such as 3%")
    return float(found[1]) / 100


def duration_s(option: str, text: str) -> float:
    """``100us`` or ``1.5m`` in seconds; raises `UsageError`."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise UsageError(f"{option} {text!r}: a number with us, ms, s, m or h is wanted, such as 30s")
    return float(found[1]) * _SECONDS[found[2]]


def _two(words: Sequence[str], results: Path) -> tuple[list[Path], list[Path]]:
    if len(words) != 2:
        raise UsageError(
            f"wsload compare: {len(words)} runs, and which belong to which side? Write --a RUN… --b RUN…"
        )
    return [find_run(words[0], results)], [find_run(words[1], results)]


def _matching(option: str, patterns: Sequence[str] | None, results: Path) -> list[Path]:
    """The runs that the words of one side name, in any of the usual ways, each once."""
    if not patterns:
        raise UsageError(f"wsload compare: {option} is missing: each side needs its runs")
    found: dict[Path, None] = {}
    for pattern in patterns:
        if not glob.has_magic(pattern) or Path(pattern).is_dir():
            found[find_run(pattern, results)] = None
            continue
        paths = [*glob.glob(pattern), *glob.glob(str(results / pattern))]
        hits = sorted(path for path in map(Path, paths) if (path / "run.json").is_file())
        if not hits:
            raise UsageError(f"{option} {pattern!r}: no run matches, neither here nor in {results}")
        found |= dict.fromkeys(hits)
    return list(found)


def _with(option: str, condition: str | None, results: Path) -> list[Path]:
    """The runs in the results directory that fulfil FIELD=PATTERN."""
    from wsload.results.reader import find_runs, open_run

    if not condition:
        raise UsageError(f"wsload compare: {option} is missing: each side needs its runs")
    field, equals, pattern = condition.partition("=")
    if not equals or field not in _FIELDS or not pattern:
        raise UsageError(f"{option} {condition!r}: build=LABEL or name=PATTERN is wanted")
    found = []
    for path in find_runs(results):
        try:
            run = open_run(path)
        except ResultsError as error:
            print(f"wsload compare: left out: {error}", file=sys.stderr)
            continue
        if fnmatchcase(run.info.build if field == "build" else path.name, pattern):
            found.append(path)
    if not found:
        raise UsageError(f"{option} {condition!r}: no run in {results} matches: see wsload list")
    return found
