"""What ``wsload ab`` and ``wsload capacity`` have in common: options, builds, times, locustfiles, and resuming."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wsload.commands.cli.compat import given
from wsload.commands.cli.gate import duration_s
from wsload.errors import UsageError

if TYPE_CHECKING:
    from wsload.commands.harness.builds import Build

Locustfile = Annotated[
    str,
    typer.Option(
        "--locustfile",
        "-f",
        metavar="FILE",
        help="The locustfile. Default: locustfile.py.",
        show_default=False,
    ),
]
Candidate = Annotated[
    str, typer.Option("--b", metavar="COMMAND|URL", help="The candidate.", show_default=False)
]
BaselineRef = Annotated[
    str,
    typer.Option(
        metavar="REF", help="The baseline as a git ref, checked out in a worktree.", show_default=False
    ),
]
CandidateRef = Annotated[
    str, typer.Option(metavar="REF", help="The candidate as a git ref.", show_default=False)
]
Setup = Annotated[
    str,
    typer.Option(
        metavar="COMMAND", help="With refs: run once in each worktree, such as 'npm ci'.", show_default=False
    ),
]
CandidateName = Annotated[
    str, typer.Option(metavar="LABEL", help="The candidate's label.", show_default=False)
]
ServerUrl = Annotated[str, typer.Option(metavar="URL", help="The URL at which a started server listens.")]
SERVER_URL: Final = "ws://127.0.0.1:{port}"
ReadyTimeout = Annotated[str, typer.Option(metavar="TIME", help="How long a server may take to answer.")]

Pin = Annotated[
    str,
    typer.Option(
        metavar="auto|A=0,B=1,load=2-3",
        help="Pin servers and load generator to separate cores (Linux): auto divides the machine's cores "
        "among them; or list the cores of each, several as 2-3 or 0+2.",
        show_default=False,
    ),
]


def locust_options(such_as: str) -> Any:
    """The words behind ``--``, which all Locust runs get."""
    return typer.Argument(
        metavar="-- LOCUST OPTIONS",
        help=f"Further options for every Locust run, such as {such_as}. They are stored: pass secrets in "
        "LOCUST_WS_… variables.",
        show_default=False,
    )


def only_plan(what: str) -> Any:
    """``--plan``."""
    return typer.Option("--plan", help=f"Print the plan without making any {what}.")


def to_resume(what: str) -> Any:
    """``--resume``."""
    return typer.Option(
        metavar=what.upper(),
        help=f"Continue an interrupted {what}: its directory, or its name in --results.",
        show_default=False,
    )


def side(letter: str, text: str, ref: str, name: str, build: str, serve: str, url: str) -> Build:
    """The build that ``--a`` or ``--a-ref`` name; raises `UsageError`."""
    from wsload.commands.harness.builds import build_of, started
    from wsload.commands.harness.worktree import resolved

    option = f"--{letter}"
    if bool(text) == bool(ref):
        raise UsageError(f"give {option} (a command or a URL) or {option}-ref (a git ref)")
    if text:
        return build_of(text, name=name or letter.upper(), url=url, option=option)
    if not serve:
        raise UsageError(f"{option}-ref {ref!r}: --serve is missing, the command that starts its server")
    found = started(serve, name=name, url=url, option="--serve", ref=ref, setup=build)
    return resolved(found, f"{option}-ref")


def whole_s(option: str, text: str) -> float:
    """A duration in whole seconds, as Locust takes it; plain numbers are seconds, as in Locust."""
    seconds = duration_s(option, f"{text}s" if text.isdigit() else text)
    if seconds != int(seconds):
        raise UsageError(f"{option} {text!r}: only whole seconds are allowed")
    return seconds


def existing(locustfile: str) -> str:
    """The locustfile's absolute path; raises `UsageError` where there is none."""
    if not Path(locustfile).is_file():
        raise UsageError(f"--locustfile {locustfile!r}: no such file")
    return str(Path(locustfile).resolve())


def refuse_changes(context: typer.Context, allowed: Collection[str]) -> None:
    """Raises `UsageError` for an option that would change a stored plan: others than these."""
    for name, said in given(context):
        if name not in allowed:
            raise UsageError(f"--resume continues the stored plan: {said} can't change it")


def enter(directory: str) -> None:
    """Changes to the directory in which the experiment was started, where its commands, files and git are found."""
    if not directory:
        return
    try:
        os.chdir(directory)
    except OSError as error:
        raise UsageError(
            f"--resume: can't change to {directory}, where it was started ({error.strerror})"
        ) from None
