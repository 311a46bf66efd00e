"""Conducts the experiment of ``wsload ab``, shows its progress, and prints its result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wsload.commands.cli.compare import Format, tell
from wsload.commands.cli.output import say
from wsload.errors import NotWritten, Untrusted, WsloadError
from wsload.exit_codes import ExitCode

if TYPE_CHECKING:
    from wsload.commands.ab.experiment import Experiment
    from wsload.commands.ab.plan import ExperimentPlan
    from wsload.report.comparison.comparison import ComparisonReport

COMPARISON: Final = "comparison.html"


def conduct(path: Path, experiment: Experiment, *, format_: Format) -> int:
    """Makes the remaining runs, and compares all of them."""
    from wsload.commands.ab.conduct import Conductor
    from wsload.commands.ab.judging import clear_in
    from wsload.commands.ab.progress import ProgressDisplay

    cut_short = untrusted = False
    with ProgressDisplay(len(experiment.slots)) as display:
        conductor = Conductor(
            path, experiment, listener=display, is_clear=clear_in(path), environment=dict(os.environ)
        )
        try:
            conductor.go_on()
        except KeyboardInterrupt:
            cut_short = True
        except WsloadError as error:
            if tail := getattr(error, "tail", ""):
                say("".join(f"  | {line}\n" for line in tail.splitlines()).rstrip("\n"))
            if conductor.experiment.done:
                say(f"{conductor.experiment.missing()}\nTo continue: wsload ab --resume {path}")
            untrusted = isinstance(error, Untrusted) and conductor.experiment.valid_pairs > 0
            if not untrusted:
                raise
            say(f"wsload: {error}")
    experiment = conductor.experiment
    if cut_short:
        say(f"Interrupted: {experiment.missing()}\nTo continue: wsload ab --resume {path}")
        if experiment.whole_pairs == 0:
            return ExitCode.INCONCLUSIVE
    from wsload.commands.ab.judging import report_of

    report = report_of(path, experiment)
    try:
        tell(report, html=path / COMPARISON, named=False, format_=format_)
    except NotWritten:
        say(f"All runs are kept. To compare them: wsload compare {path}")
        raise
    if cut_short:
        return ExitCode.INCONCLUSIVE
    code = report.comparison.exit_code
    if untrusted:
        return code if code == ExitCode.FAILED else ExitCode.UNTRUSTED
    if code == ExitCode.INCONCLUSIVE and (pairs := _pairs_to_add(report)):
        say(f"More pairs may settle it: wsload ab --resume {path} --more {pairs}")
    return code


def _pairs_to_add(report: ComparisonReport) -> int | None:
    """How many more pairs would settle everything that is open; None if that can't be advised, or is not enough."""
    from wsload.report.comparison.sentences import MAX_MORE

    if any(each.blocks for each in report.comparison.unjudged):
        return None
    open_ = [each.more_pairs for each in report.comparison.judgements if each.verdict == "inconclusive"]
    needed = [pairs for pairs in open_ if pairs is not None]
    return max(2, *needed) if needed and len(needed) == len(open_) and max(needed) <= MAX_MORE else None


def print_plan(plan: ExperimentPlan, effect: float | None) -> None:
    """Prints the plan, and with an effect how many pairs it takes to detect that."""
    from wsload.commands.ab.progress import forecast, power_lines

    for line in (*forecast(plan), *(() if effect is None else power_lines(plan, effect))):
        say(line)
