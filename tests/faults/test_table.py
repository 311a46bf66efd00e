"""The fault table is true: its tests exist."""

from __future__ import annotations

import re
from pathlib import Path

from faults.table import TABLE, names

TESTS = Path(__file__).parents[1]


def test_every_test_of_the_table_exists() -> None:
    assert len(TABLE) > 40
    for name in names():
        file, _, test = name.partition("::")
        text = (TESTS / file).read_text("utf-8")
        function, _, _ = test.partition("[")
        assert re.search(rf"^def {function or 'test_'}", text, re.MULTILINE), name


def test_every_test_of_this_folder_is_in_the_table() -> None:
    known = names()
    for path in Path(__file__).parent.glob("test_*.py"):
        for test in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE):
            found = f"faults/{path.name}::{test}"
            assert path.name == "test_table.py" or found.startswith(known), found
