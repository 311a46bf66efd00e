"""Writes the table of the simulation, with what it proves and what not, into the documentation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.capacity.judging import Contrasted, Searched, contrasted, searched
from benchmarks.capacity.worlds import WORLDS
from wsload.exit_codes import ExitCode

PAGE: Final = Path(__file__).parents[2] / "docs" / "inside" / "capacity-simulation.md"
COMPARED: Final = tuple(WORLDS[place] for place in (0, 2, 5, 6, 7))
LESS: Final = (0.0, 0.1, 0.2)
HEAD: Final = """# What the search of `wsload capacity` is worth: a simulation

<!-- Written by `python -m benchmarks.capacity`; a test checks that the tables are what the rules give. -->

Each row stands for a thousand simulated servers of known capacity, searched by the functions that search real ones:
from 100 to 20,000 a second, with a precision of ±5 %, in at most 14 steps. The capacity of a server lies anywhere
in the range; it is the rate at which a step holds as often as not. Where it drifts, the capacity at the end is
meant.

"""
MIDDLE: Final = """
Two servers of a kind, searched in turn. *Covered* is the share of the intervals that have the true ratio in them.

"""
FOOT: Final = """
## What it proves

- The interval covers the capacity in at least 95 % of the searches, in each of these worlds: with sharp and with
  blurred borders, steps that stall, and a capacity that drifts.
- No search takes more than 14 steps. Where the border is sharp, at least 95 % of them come to ±5 % in so many. The
  more it is blurred, steps stall, or the capacity drifts, the more of them end with a wider interval, and say so.
- Two equal servers are called different in at most 5 % of the comparisons.
- A server that holds 20 % less is called better in at most 1 % of the comparisons, and one whose border is sharp is
  found to hold less in more than 99 %.

## What it does not prove

- That your server is like these. Between runs of yours the border may be more blurred: a standard deviation of more
  than 4 % in the rate is beyond the model.
- Anything about a server whose capacity depends on what was asked of it before: start a fresh one for each step
  (`--serve`).
- Anything about servers that fail at some rate, hold at a higher one, and fail again.

## Where the rules come from

Probabilistic bisection (M. Horstein, IEEE Transactions on Information Theory 9, 1963; R. Waeber, P. Frazier and S.
Henderson, SIAM Journal on Control and Optimization 51, 2013), with the answers' probabilities of Bayesian
staircases (A. Watson and D. Pelli, Perception & Psychophysics 33, 1983; L. Kontsevich and C. Tyler, Vision Research
39, 1999). The docstrings of `wsload/judge/capacity/` have the details.
"""


def page(rows: Iterable[tuple[str, Searched]], pairs: Iterable[tuple[str, list[Contrasted]]]) -> str:
    """The document with its tables."""
    heads = (
        "interval covers",
        "steps, median",
        "steps, most",
        "came to ±5 %",
        "estimate within ±5 %",
        "interval, median",
    )
    lines = [f"| server | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for name, found in rows:
        shown = (
            *(_share(found.covered), f"{found.steps:g}", f"{found.most_steps}"),
            *(_share(found.precise), _share(found.within), f"±{100 * found.width:.1f} %"),
        )
        lines.append(f"| {name} | {' | '.join(shown)} |")
    equal = "equal: called less or more", "not less", "covered"
    worse = [
        f"B holds {100 * less:g} % less: {what}"
        for less in LESS[1:]
        for what in ("found", "called more", "covered")
    ]
    others = [f"| servers | {' | '.join((*equal, *worse))} |", f"|---|{'---:|' * (len(equal) + len(worse))}"]
    for name, (same, *less) in pairs:
        cells = [same.less + same.more, same.not_less, same.covered]
        for each in less:
            cells += [each.less, each.more, each.covered]
        others.append(f"| {name} | {' | '.join(map(_share, cells))} |")
    return HEAD + "\n".join(lines) + "\n" + MIDDLE + "\n".join(others) + "\n" + FOOT


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def main() -> int:
    """Writes the page."""
    began = time.monotonic()
    rows = [(world.name, searched(world)) for world in WORLDS]
    pairs = [(world.name, [contrasted(world, less) for less in LESS]) for world in COMPARED]
    PAGE.write_text(page(rows, pairs), encoding="utf-8")
    print(f"{PAGE} ({time.monotonic() - began:.0f} s)")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
