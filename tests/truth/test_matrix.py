"""Every kind of user class, in every workload, against every behaviour: right, or marked.

``pytest -n 0 tests/truth/test_matrix.py`` takes about two minutes; ``python -m support.truth.matrix`` in tests/
writes the same, as a table, to docs/inside/truth-matrix.md.
"""

from __future__ import annotations

import os
import re

import pytest
from support.truth.judging import Cell
from support.truth.kinds import KINDS, PROVABLE, WORKLOADS
from support.truth.matrix import DOCUMENT, SYMBOLS, table
from support.truth.server import BEHAVIOURS
from support.truth.verdicts import prove

from wsload.exit_codes import ExitCode

pytestmark = [
    pytest.mark.xdist_group("timing"),
    pytest.mark.skipif("WSLOAD_MATRIX" not in os.environ, reason="make matrix runs it: two quiet minutes"),
]

MIN_REQUESTS = 10
"""Fewer would mean that hardly anything ran."""


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_no_cell_is_wrong_and_trusted(behaviour: str) -> None:
    proof = prove(behaviour)
    cells = proof.cells
    assert {(cell.kind, cell.workload) for cell in cells} == {(k, w) for k in KINDS for w in WORKLOADS}
    assert min(cell.requests for cell in cells) >= MIN_REQUESTS
    assert [cell for cell in cells if cell.verdict == "WRONG"] == []
    # What names its answers is right whatever the server does, and no mark is an excuse.
    assert [cell for cell in cells if cell.kind in PROVABLE and cell.verdict != "right"] == []
    if behaviour == "pushes":
        turns = [cell for cell in cells if "turn" in cell.kind]
        assert {cell.verdict for cell in turns} == {"marked"}, "a push is taken for an answer, and it is said"
    assert (proof.returncode == ExitCode.UNTRUSTED) == proof.checked_is_marked


def test_the_table_in_the_documentation_has_these_rows_and_columns() -> None:
    text = DOCUMENT.read_text("utf-8")
    header, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [each.strip() for each in header.strip("|").split("|")] == ["", *BEHAVIOURS]
    assert [row.split("|")[1].strip() for row in rows] == list(KINDS)
    for row in rows:
        cells = [each.strip() for each in row.strip("|").split("|")[1:]]
        assert len(cells) == len(BEHAVIOURS)
        assert all(
            re.fullmatch(f"[{SYMBOLS['right']}{SYMBOLS['marked']}]{{{len(WORKLOADS)}}}", each)
            for each in cells
        )
    for text_ in (*KINDS.values(), *BEHAVIOURS.values()):
        assert text_ in text


def test_a_wrong_cell_shows_in_the_table() -> None:
    cells = [
        Cell(behaviour=behaviour, kind=kind, workload=workload, requests=9)
        for behaviour in BEHAVIOURS
        for kind in KINDS
        for workload in WORKLOADS
    ]
    assert SYMBOLS["WRONG"] not in table(cells).split("|", 1)[1]
    wrong = Cell(behaviour="plain", kind="turn", workload="poisson", requests=9, wrong=("p50",))
    marked = Cell(
        behaviour="pushes",
        kind="turn",
        workload="closed",
        requests=9,
        marked=("p50",),
        reasons=("pairing",),
    )
    text = table([*cells, wrong, marked])
    (row,) = [line for line in text.splitlines() if line.startswith("| turn |")]
    assert "✓✓✗" in row
    assert "!✓✓" in row
    assert "- pairing:\n  - **turn**: pushes\n" in text
