"""The matrix as a whole: its rows and columns, its cells judged, and the table of them in the documentation.

    cd tests && python -m support.truth.matrix

runs all of it, which takes some minutes, and writes docs/inside/truth-matrix.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from support.truth.judging import Cell
from support.truth.kinds import KINDS, WORKLOADS
from support.truth.server import BEHAVIOURS
from support.truth.verdicts import prove

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "inside" / "truth-matrix.md"
SYMBOLS: Final = {"right": "✓", "marked": "!", "WRONG": "✗"}
INTRODUCTION: Final = """\
# Are the figures true?

This table is made by the tests (`python -m support.truth.matrix` in `tests/`). Each of its cells is three
short runs of a user class, with a closed workload, with `constant_rate` and with `poisson_rate`, against a
server that behaves as the column says and keeps an account of its own: when it got each request, when it
answered, and how. All that the class recorded is compared with that account: every count exactly, whose answer
each request got, and the percentiles up to p99 within 1 ms and what "trusted" promises, a tenth or 1 ms.

- **✓** the figures are those of the account.
- **!** they are not, and the run says so: it is marked, and a check on them ends with exit code 3.
- **✗** they are wrong, and marked as trusted. There is none, or the tests fail.

A figure that is right may be marked too, where nothing proves that it is. What names its answers (a key, or a match
that fits only one) is right and unmarked whatever the server does.
"""


def table(cells: Iterable[Cell]) -> str:
    """The document."""
    verdicts: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for cell in cells:
        verdicts[cell.kind, cell.behaviour][cell.workload] = SYMBOLS[cell.verdict]
        reasons[cell.kind, cell.behaviour].update(cell.reasons)
    lines = [INTRODUCTION, f"| | {' | '.join(BEHAVIOURS)} |", f"|---|{'---|' * len(BEHAVIOURS)}"]
    for kind in KINDS:
        row = ("".join(verdicts[kind, behaviour].get(w, "?") for w in WORKLOADS) for behaviour in BEHAVIOURS)
        lines.append(f"| {kind} | {' | '.join(row)} |")
    lines += ["", "## The rows", "", *(f"- **{kind}**: {text}" for kind, text in KINDS.items())]
    lines += ["", "## The columns", "", *(f"- **{name}**: {text}" for name, text in BEHAVIOURS.items())]
    lines += ["", "## Why the marked ones are marked", ""]
    marked: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (kind, behaviour), texts in sorted(reasons.items()):
        for text in texts:
            marked[text][kind].append(behaviour)
    for text, kinds in sorted(marked.items()):
        lines += [f"- {text}:", *(f"  - **{kind}**: {', '.join(those)}" for kind, those in kinds.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(table(cell for behaviour in BEHAVIOURS for cell in prove(behaviour).cells))
