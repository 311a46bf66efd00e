"""Writes the table of the simulation, with what it proves and what not, into the documentation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.gate.judging import Rates
from benchmarks.gate.rows import table
from wsload.exit_codes import ExitCode

PAGE: Final = Path(__file__).parents[2] / "docs" / "inside" / "gate-simulation.md"
HEAD: Final = """# How reliable the verdicts of `compare` and `ab` are: a simulation

<!-- Written by `python -m benchmarks.gate`; a test checks that the table is what the rules give. -->

Thousands of experiments of ten pairs of runs, in the order A B B A …, whose truth is known, judged by the very
functions that judge real runs. In each world the percentiles of a run scatter as the row says (the standard
deviation of their logarithm, of which 0.3 of the variance is common to the run and 0.3 to the metric), and
latency drifts by 1 % from each run to the next. Six statistics are judged together unless the row says
otherwise: p50 and p99 of `open`, `login` and `message`; and the share of lost messages where any are lost. In the
rows *side by side* both runs of a pair happen at the same time (`--side-by-side`): what the machine does to both is
alike from one pair to the next, each start of a server has a scatter of its own, and what one side gains in the
competition for the machine the other loses. With a calibration, one more pair has A on both sides.

- **Exit code 1** is *slower* (or *fails more*): something is shown to be more than 3 % slower and was measured to be
  more than 50 µs slower, or more messages are shown to be lost.
- **Exit code 0** is *not slower*: everything judged is shown to be at most 10 % (or 50 µs) slower, with at most 0.1 %
  more of the messages lost.
- **Exit code 4** is *inconclusive*: everything else.

"""
FOOT: Final = """
## What it shows

- A build that is no slower is called slower, faster or failing more in at most 5 % of experiments, whatever the
  scatter, the tails and the correlation of these worlds, with early looks and with extensions whose size was chosen by
  what was seen.
- Side by side it is called so in at most 2.5 %, whatever the machine does and however the two compete.
- A side that is slower by itself is not taken for a slower build where a calibration can see it: where it differs by
  more than some four deviations of a pair.
- At a scatter of 5 % between runs, ten pairs find a build that is 10 % slower in everything in more than three
  experiments of four (in one statistic of six: in four of ten), and let one that is no slower pass in more than 85 of
  100.
- A build that is 10 % slower, in everything or in one statistic alone, passes in at most 5 % of experiments.
- A build that loses 0.1 % of its messages or more, where the other loses none, never passes, however fast it is.
- Where runs scatter much, the answer is *inconclusive*, not a guess.

## What it does not show

- That your runs scatter as these do. What yours scatter is in the `deviation` of `wsload compare --format json`; what
  is estimated from ten pairs is itself uncertain, which the t distribution allows for.
- Anything about runs that were not made in turns on one machine: drift of more than 1 % a run, or a change of
  machine between the builds, looks like a build. `compare` widens its bounds by 1 % for each run that the builds
  lie apart, and says so.
- Anything about a difference that two servers only show under another load than yours.
- Worlds where the scatter depends on the build: a build that is as fast but less steady is *inconclusive*.

## Where the rules come from

Student’s t over the log-ratios of pairs; Holm’s correction (Scandinavian Journal of Statistics 6, 1979) for
*slower*; the intersection–union test (R. Berger, Technometrics 24, 1982) for *not slower*; shares of alpha over looks
(Haybittle 1971, Peto 1976); stages combined by inverse normal scores (W. Lehmacher & G. Wassmer, Biometrics 55, 1999).
The docstrings of `wsload/judge/compare/` have the details.
"""


def page(rows: Iterable[tuple[str, tuple[Rates, Rates, Rates]]]) -> str:
    """The document with its table."""
    heads = (
        "world",
        *("B is no slower: exit 1", "called faster", "exit 0", "exit 4"),
        *("all 10 % slower: exit 1", "exit 0", "one statistic 10 % slower: exit 1", "exit 0"),
    )
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for name, (equal, slower, alone) in rows:
        shown = (
            *(equal.worse, equal.better, equal.passed, equal.open),
            *(slower.worse, slower.passed, alone.worse, alone.passed),
        )
        lines.append(f"| {name} | {' | '.join(f'{100 * each:.1f} %' for each in shown)} |")
    return HEAD + "\n".join(lines) + "\n" + FOOT


def main() -> int:
    """Writes the page."""
    began = time.monotonic()
    PAGE.write_text(page(table()), encoding="utf-8")
    print(f"{PAGE} ({time.monotonic() - began:.0f} s)")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
