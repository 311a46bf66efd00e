"""Conducts the search of ``wsload capacity``, shows its progress, and prints what was found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wsload.commands.cli.compare import Format
from wsload.commands.cli.output import add_to_job_summary, say, write, write_text
from wsload.errors import NotWritten, UsageError, WsloadError
from wsload.exit_codes import ExitCode
from wsload.words import printable_json

if TYPE_CHECKING:
    from wsload.commands.capacity.plan import Search

DEFAULT_USERS: Final = 50


def searched(rate: str, users: str, precision: float, steps: int) -> dict[str, Any]:
    """What is searched, of the two options of which one is a range; raises `UsageError`."""
    from wsload.judge.capacity.search import SearchPlan

    rates, numbers = _bounds("--rate", rate), _bounds("--users", users)
    if (len(rates) == 2) == (len(numbers) == 2):
        raise UsageError(
            "give one range LOW..HIGH to search, as --rate or --users, such as --rate 100..20000"
        )
    if len(rates) == 2:
        found = SearchPlan(low=rates[0], high=rates[1], precision=precision, most_steps=steps)
        return {"search": found, "users": _whole(numbers[0]) if numbers else DEFAULT_USERS}
    low, high = map(_whole, numbers)
    found = SearchPlan(low=low, high=high, precision=precision, most_steps=steps, whole=True)
    return {"search": found, "rate_per_user": rates[0] if rates else 0.0}


def _bounds(option: str, text: str) -> list[float]:
    """``100..20000`` as two numbers, ``50`` as one, nothing as none."""
    try:
        found = [float(word) for word in text.split("..")] if text else []
    except ValueError:
        found = []
    if (text and not found) or len(found) > 2 or any(not 0 < each <= 1e6 for each in found):
        raise UsageError(f"{option} {text!r}: must be a number up to 1000000 or a range such as 100..20000")
    return found


def _whole(value: float) -> int:
    if value != int(value):
        raise UsageError(f"--users {value:g}: only whole numbers are allowed")
    return int(value)


def conduct(path: Path, search: Search, *, format_: Format) -> int:
    """Makes the remaining steps, and tells what they found."""
    from wsload.commands.capacity.conduct import Searcher
    from wsload.commands.capacity.judging import report_of
    from wsload.commands.capacity.progress import ProgressDisplay
    from wsload.report.capacity.html import write_page
    from wsload.report.capacity.text import as_json, as_text
    from wsload.report.capacity.text import markdown as as_markdown

    cut_short = False
    with ProgressDisplay(search.plan) as display:
        searcher = Searcher(path, search, listener=display, environment=dict(os.environ))
        try:
            searcher.go_on()
        except KeyboardInterrupt:
            cut_short = True
        except WsloadError as error:
            if tail := getattr(error, "tail", ""):
                say("".join(f"  | {line}\n" for line in tail.splitlines()).rstrip("\n"))
            if searcher.search.made:
                say(f"To continue: wsload capacity --resume {path}")
            raise
    search = searcher.search
    if cut_short:
        say(f"Interrupted. To continue: wsload capacity --resume {path}")
        if not search.made:
            return ExitCode.INCONCLUSIVE
    report = report_of(path, search)
    if format_ is Format.JSON:
        write(printable_json(as_json(report).decode()).encode())
    else:
        write_text(as_markdown(report) if format_ is Format.MARKDOWN else as_text(report))
    try:
        say(f"Charts: {write_page(report)}")
    except NotWritten:
        say(f"All steps are kept. For the page: wsload capacity --resume {path}")
        raise
    add_to_job_summary(lambda: as_markdown(report))
    return ExitCode.INCONCLUSIVE if cut_short else report.exit_code
