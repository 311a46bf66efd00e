"""Canary: what wsload needs of `rich` beyond its documentation is still there, and does that."""

from __future__ import annotations

from canary import needed
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from wsload.report.compat import inside


def test_the_parts_of_a_view_are_known() -> None:
    with needed("rich", "Group.renderables and Padding.renderable", "to keep figures and units in one line"):
        first, second = Text("1 ms"), Text("2 ms")
        padded = Padding(second, (0, 0, 0, 2))
        assert [*inside(Group(first, padded))] == [first, padded]
        assert [*inside(padded)] == [second]
        assert not inside(first) and not inside("")
