"""``--from`` and ``--to``: another stretch of a stored run than the one it was measured in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from wsload.commands.cli.gate import duration_s
from wsload.errors import UsageError

if TYPE_CHECKING:
    from wsload.results.window import Stretch

_FROM: Final = (
    "Measure from this long after the start, such as 10s. Default: the start of the run's own window."
)
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help=_FROM, show_default=False)]
ReportFrom = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help=f"{_FROM} With html, the page replaces report.html, unless --output names another file.",
        show_default=False,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="TIME",
        help="Measure up to this long after the start. Default: to the end.",
        show_default=False,
    ),
]


def stretch_of(begin: str | None, end: str | None) -> Stretch | None:
    """The part of a run that the options ask for; None for neither. Raises `UsageError`."""
    from wsload.results.window import Stretch

    if begin is None and end is None:
        return None
    from_s = duration_s("--from", begin) if begin is not None else None
    to_s = duration_s("--to", end) if end is not None else None
    if to_s is not None and to_s <= (from_s or 0.0):
        raise UsageError(f"--to {end!r}: it must lie after --from")
    return Stretch(from_s=from_s, to_s=to_s)
