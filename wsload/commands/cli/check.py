"""``wsload check``: judges a stored run by checks, for CI."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from wsload.commands.cli.output import say
from wsload.commands.cli.runs import RESULTS, WHICH_RUN, Results, find_run
from wsload.commands.cli.window import From, To, stretch_of
from wsload.errors import UsageError
from wsload.exit_codes import ExitCode

_COMPARISON: Final = re.compile("[<>=]")


def check(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [CHECK]",
            help=f"RUN: {WHICH_RUN} CHECK: such as 'message.p99 < 50ms', 'lost < 1' or 'failures.rate <= 0.1%'; "
            "by default the checks that the run itself was given.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--checks",
            metavar="FILE",
            help="A file of further checks, one a line; lines that begin with # are comments.",
            show_default=False,
        ),
    ] = None,
    allow_invalid: Annotated[
        bool,
        typer.Option("--allow-invalid", help="Also judge figures that can't be trusted."),
    ] = False,
    from_: From = None,
    to: To = None,
    results: Results = RESULTS,
) -> int:
    """Judge a stored run: prints a line per check.

    Exit codes: 0 all passed, 1 a check failed, 2 usage, 3 the run can't be trusted or is incomplete, or a check
    could not be judged, 5 nothing was measured.
    """
    from wsload.judge.run.check_file import read_checks
    from wsload.judge.run.checks import evaluate
    from wsload.judge.run.grammar import parse_check
    from wsload.judge.run.rejudge import process_figures_of, rechecked, rejudged
    from wsload.judge.run.standing import cut_short, standing, verdict_of
    from wsload.judge.run.trust import TOLERANCE_NS
    from wsload.report.terminal import CHECKS
    from wsload.results.reader import open_run
    from wsload.results.run import CheckState
    from wsload.results.trust import Standing
    from wsload.words import printable

    run, expressions = _told_apart(words or [])
    checks = [parse_check(text) for text in expressions]
    if file is not None:
        try:
            checks += read_checks(file)
        except UsageError as error:
            raise UsageError(f"--checks {str(file)!r}: {error}") from None
    stored = open_run(find_run(run, results))
    known = stored.info.labels
    if not checks and not stored.info.checks:
        raise UsageError(f"nothing to check: {stored.path.name} has no checks of its own; give some")
    info, stretch, watch = stored.info, stretch_of(from_, to), process_figures_of(stored)
    for interval in stored.measured(stretch, watch.before):
        watch.add(interval)
    if stretch is not None and info.trust is not None:
        info = rejudged(replace(info, window=stored.window(stretch)), watch)
    totals, trust = watch.totals, info.trust
    tolerance_ns = None if allow_invalid else trust.tolerance_ns if trust is not None else TOLERANCE_NS
    if checks:
        outcomes = [evaluate(each, totals, known, tolerance_ns) for each in checks]
    else:
        outcomes = [rechecked(each, info, totals, tolerance_ns) for each in stored.info.checks]
    width = max(len(outcome.expression) for outcome in outcomes)
    longest = max(len(CHECKS[outcome.state][0]) for outcome in outcomes)
    for outcome in outcomes:
        word, colour = CHECKS[outcome.state]
        told = f"{outcome.expression:<{width}}  wanted {outcome.wanted}, got {outcome.explained}"
        typer.echo(f"{typer.style(f'{word:<{longest}}', fg=colour)}  {printable(told)}")
    found = standing(info, stored.problems)
    if not found.usable:
        why = "; ".join(printable(reason) for reason in (verdict_of(info, found), *stored.problems))
        say(f"wsload check: {stored.path.name}: {why}")
        if found in (Standing.NOTHING, Standing.FAILED):
            return ExitCode.NOTHING_MEASURED
        if not allow_invalid or cut_short(info.warnings):
            return ExitCode.UNTRUSTED
    states = {outcome.state for outcome in outcomes}
    if CheckState.FAILED in states:
        return ExitCode.FAILED
    if CheckState.UNJUDGED in states:
        return ExitCode.UNTRUSTED
    return ExitCode.OK


def _told_apart(words: list[str]) -> tuple[str | None, list[str]]:
    """The run and the checks: the first word is a run unless it compares something."""
    if words and not _COMPARISON.search(words[0]):
        return words[0], words[1:]
    return None, words
