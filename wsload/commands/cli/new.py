"""``wsload new``: a first locustfile, its checks and a CI workflow."""

from __future__ import annotations

import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated

import typer

from wsload.commands.new import scaffold


def new(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write; made if needed.", show_default=False)
    ] = Path(),
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            "-p",
            metavar="NAME",
            help="What the service speaks: " + ", ".join(scaffold.EXPECTED) + ".",
        ),
    ] = scaffold.DEFAULT,
) -> None:
    """Write a commented locustfile, a file of checks and a GitHub workflow, to start from.

    The locustfile is an example that is tested against a real service of that protocol. Nothing is overwritten.
    For a service that has a web page, see wsload from-har.
    """
    source = _source()
    texts = scaffold.files(protocol, source or "")
    for path in scaffold.write(directory, texts):
        print(path)
    if source is None:
        print(
            "\nwsload was installed from a local directory: set WSLOAD in load.yml to a source that CI can use."
        )
    there = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    print(f"\nNext: {there}{scaffold.command(texts)}")


def _source() -> str | None:
    try:
        found = distribution("wsload")
    except PackageNotFoundError:  # a checkout that was never installed
        return None
    return scaffold.source_of(found.version, found.read_text("direct_url.json"))
