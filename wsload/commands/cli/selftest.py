"""``wsload selftest``: can the figures be trusted on this machine?"""

from __future__ import annotations

from typing import Annotated

import typer

from wsload.exit_codes import ExitCode


def selftest(
    quick: Annotated[
        bool, typer.Option("--quick", help="Three settings instead of nine, in half a minute.")
    ] = False,
) -> int:
    """Check wsload's figures against a known truth, on this machine.

    The embedded server stalls, delays, drops and repeats messages on request, and records what it did with
    each; Locust loads it, and the two accounts are compared. Takes about a minute and a half. Exits with 0
    if all figures are within their tolerance, otherwise with 1.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from wsload.commands.selftest.judging import run_setting
    from wsload.commands.selftest.settings import SETTINGS, Setting
    from wsload.commands.selftest.showing import results_view, sentence
    from wsload.commands.selftest.trial import TICK_S, Trial, run_trial, timer_kind

    settings = [setting for setting in SETTINGS if setting.quick or not quick]
    console = Console(highlight=False, markup=False, emoji=False)
    results = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        bar = progress.add_task("", total=sum(setting.duration_s for setting in settings))

        def run(setting: Setting) -> Trial:
            return run_trial(setting, tick=lambda: progress.advance(bar, TICK_S))

        for number, setting in enumerate(settings):
            done_s = sum(setting.duration_s for setting in settings[:number])
            progress.update(bar, description=setting.name, completed=done_s)
            results.append(run_setting(setting, run))
    console.print(results_view(results))
    console.print(f"\n{sentence(results, timer_kind())}", soft_wrap=True)
    return ExitCode.OK if all(result.passed for result in results) else ExitCode.FAILED
