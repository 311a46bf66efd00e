"""The ``wsload`` command. A command is a function in a module of this package, registered below.

Heavy modules are imported inside the functions, so that ``wsload --help`` is quick; neither Locust nor gevent is ever
loaded here. A command returns its exit code (None is 0).

May import: measure, results, judge, report, load, protocols, server, commands.ab, commands.capacity, commands.har,
commands.harness, commands.new, commands.selftest.
Never here: the commands' actual work.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from wsload.commands.cli.ab import ab
from wsload.commands.cli.capacity import capacity
from wsload.commands.cli.check import check
from wsload.commands.cli.compare import compare
from wsload.commands.cli.export import export
from wsload.commands.cli.from_har import from_har
from wsload.commands.cli.list import list_runs
from wsload.commands.cli.new import new
from wsload.commands.cli.options import options
from wsload.commands.cli.output import say
from wsload.commands.cli.report import report
from wsload.commands.cli.selftest import selftest
from wsload.commands.cli.serve import serve
from wsload.commands.cli.sides import ManyPaths
from wsload.errors import WsloadError, disk_failed
from wsload.exit_codes import ExitCode
from wsload.protocols.chat import names as chat

chat.use()  # some runs were stored without labels, and these are the chat's

app = typer.Typer(
    name="wsload",
    help="Load generator and latency benchmark for WebSocket services: serve, report, check, compare.",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(short_help="Write a first locustfile, its checks and a CI workflow.")(new)
app.command("from-har", short_help="Turn a browser's recording into a locustfile.")(from_har)
app.command(short_help="Make a report of a stored run.")(report)
app.command(short_help="Judge a stored run by checks.")(check)
app.command("list", short_help="List the stored runs.")(list_runs)
app.command(cls=ManyPaths, short_help="Say whether build B is slower than A.")(compare)
app.command(short_help="Measure builds A and B, and compare them.")(ab)
app.command(short_help="Find the highest load at which checks hold.")(capacity)
app.command(short_help="Write a percentile distribution (.hgrm).")(export)
app.command(short_help="Check wsload's figures against a known truth.")(selftest)
app.command(short_help="Run a chat server to load.")(serve)
app.command(short_help="List the options that wsload adds to locust.")(options)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if show_version:
        print(f"wsload {_version()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its code, see `wsload.exit_codes`.

    What a user can act on is one line on stderr; a bug is a traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that can't show a character shows "?"
    try:
        code = app(arguments, prog_name="wsload", standalone_mode=False)
    except (typer.TyperException, WsloadError) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        # typer wraps its lines; wsload's own have a second line only to point at a place in the first.
        shown = (
            message
            if isinstance(error, WsloadError)
            else " ".join(message.split()).replace("Value error, ", "")
        )
        say(f"wsload: {shown}")
        sys.exit(error.exit_code if isinstance(error, WsloadError) else ExitCode.USAGE)
    except Exception as error:
        if isinstance(error, OSError) and disk_failed(error):
            say(f"wsload: {error.filename or 'standard output'}: {error.strerror}")
            # At exit Python would write what is left once more, fail again, and exit with 120.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        else:
            traceback.print_exc()
        sys.exit(ExitCode.BROKEN)
    sys.exit(code)


def _version() -> str:
    try:
        return version("wsload")
    except PackageNotFoundError:  # a checkout that was never installed
        return "(not installed)"
