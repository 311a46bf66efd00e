"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from wsload.report.tables import Table
from wsload.words import printable


@dataclass(frozen=True, slots=True)
class Grid:
    """The table with its heads and a line below them; figures are never cut, words may wrap."""

    table: Table
    red: Collection[int] = ()
    """Rows, from 0, that are to be looked at."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        units = any(column.unit for column in self.table.columns)
        heads = [f"{column.title}\n{column.unit}" if units else column.title for column in self.table.columns]
        rows = [[printable(cell) for cell in row] for row in self.table.rows]
        columns = zip(heads, *rows, strict=True)
        width = sum(max(cell_len(line) for text in column for line in text.split("\n")) for column in columns)
        # Two spaces between columns where they fit, else the one that the box itself has.
        gap = int(width + 2 * len(heads) <= options.max_width)
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 0, 0, gap), pad_edge=False, show_edge=False)
        for column, head in zip(self.table.columns, heads, strict=True):
            grid.add_column(head, justify=column.align, no_wrap=column.align == "right", overflow="fold")
        for place, row in enumerate(rows):
            grid.add_row(*map(Text, row), style="red" if place in self.red else None)
        yield grid
