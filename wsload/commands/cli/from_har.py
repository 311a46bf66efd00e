"""``wsload from-har``: a browser's recording into a locustfile."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from wsload.commands.cli.output import say, write_text
from wsload.errors import UsageError, disk_failed, unwritten


def from_har(
    recording: Annotated[
        Path, typer.Argument(metavar="FILE", help="The recording, a .har file.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The locustfile to write; nothing is overwritten. Default: standard output.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Turn a browser's recording of a WebSocket page into a locustfile that repeats it.

    In Chrome or Edge: open the developer tools' network panel, load the page and use it, then "Export HAR (with
    sensitive data)". Answers are matched to requests by ids or by order, pauses are kept, and secrets become
    environment variables. Read the comments in the generated file.
    """
    from wsload.commands.har.locustfile import locustfile
    from wsload.commands.har.recording import read
    from wsload.words import counted, listed, printable

    text, visits, variables = locustfile(read(recording))
    if output is None:
        write_text(text)
    else:
        try:
            with output.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError(f"{output} exists: nothing was written; name another file") from None
        except OSError as error:
            if disk_failed(error):
                output.unlink(missing_ok=True)  # it is ours: one that was there already has another error
            raise unwritten(error, f"{output}: can't be written ({error.strerror})") from None
    for each in visits:
        names = Counter(step.name for step in each.steps if step.how is not None)
        requests = listed([f"{printable(name)} ({count})" for name, count in names.items()]) or "none"
        alone = counted(sum(step.how is None for step in each.steps), "message")
        print(
            f"{printable(each.connection.origin + each.connection.path)}: requests: {requests}; "
            f"{alone} without a recognized answer",
            file=sys.stderr,
        )
    if variables:
        say(f"Set before the run: {', '.join(variables)}")
