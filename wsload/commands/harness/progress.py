"""Progress on standard error: a bar in a terminal, a line for each run anywhere."""

from __future__ import annotations

import sys
from typing import IO, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.text import Text

from wsload.words import printable

_REFRESHES = 2
"""Per second; few, because the load generator shares the machine."""


class RunsDisplay:
    """What is being done, a bar, and ``columns`` behind it; lines stay above the bar."""

    def __init__(
        self,
        *columns: ProgressColumn,
        runs: int,
        file: IO[str] | None,
        terminal: bool | None,
        **fields: Any,
    ) -> None:
        """``file`` replaces standard error; ``terminal`` says whether it is one, None finds out.

        ``fields`` are the columns' own, as they are at first.
        """
        self._console = Console(
            file=file or sys.stderr, force_terminal=terminal, highlight=False, markup=False, emoji=False
        )
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            *columns,
            console=self._console,
            refresh_per_second=_REFRESHES,
            transient=True,
            disable=not self._console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task("", total=runs, **fields)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style), soft_wrap=True)
