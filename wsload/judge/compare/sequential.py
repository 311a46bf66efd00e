"""Stopping an experiment early, without more false alarms: ``wsload ab --stop-early``.

Looking after each pair and stopping at the first *slower* would raise a false alarm far more often
than any single look does. So the chance of one, alpha, is shared out beforehand: a small part in
equal shares over all the looks before the last one planned, the rest to the last. Whatever the
looks have in common, the chance that any of them is wrong is at most the sum of their shares
(Bonferroni's inequality), and each look is an exact t test at its share; so the promise holds for few
pairs as for many, and with Holm's correction inside each look. That is the rule of J. Haybittle
(Repeated assessment of results in clinical trials of cancer treatment, British Journal of Radiology
44, 1971, 793–797) and R. Peto et al. (Design and analysis of randomized clinical trials requiring
prolonged observation of each patient, British Journal of Cancer 34, 1976, 585–612), with the last
look's level lowered by what the others took. It stops for large differences only, and costs the
small ones hardly any power, which is what a benchmark wants: a build twice as slow is known after
three or four pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wsload.errors import UsageError
from wsload.judge.compare.compare import DEFAULT_GATE, Comparison, compare
from wsload.judge.compare.pairs import RunFigures, pair_up
from wsload.judge.compare.verdict import Gate, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An experiment's looks, fixed before its first run."""

    pairs: int = 10
    """Pairs of runs planned; the last look comes after them."""
    first_look: int = 3
    """Valid pairs before the first look: two can't tell anything at these levels."""
    early_share: float = 0.15
    """The part of alpha that goes to all the looks before the last one."""
    alpha: float = 0.05
    """The chance of a wrong *slower* or *faster* over all the looks; two-sided."""

    def __post_init__(self) -> None:
        if self.pairs < 2:
            raise UsageError(f"an experiment takes at least 2 pairs of runs, not {self.pairs}")
        if self.first_look < 2:
            raise UsageError(f"the first look comes after at least 2 pairs of runs, not {self.first_look}")
        if not (0 < self.alpha < 1 and 0 < self.early_share < 1):
            raise UsageError("alpha and its early share lie between 0 and 1")

    @property
    def early_looks(self) -> int:
        """The number of looks before the last one."""
        return max(self.pairs - self.first_look, 0)

    @property
    def early_level(self) -> float:
        """The alpha of each look before the last one."""
        return self.alpha * self.early_share / self.early_looks if self.early_looks else 0.0

    @property
    def last_level(self) -> float:
        """The alpha of the last look; also right when the experiment was cut short by something else."""
        return self.alpha - self.early_level * self.early_looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the runs so far say."""

    stop: bool
    """Whether the verdict is clear: *slower*, *faster* or *same*. Always true of the last look."""
    comparison: Comparison | None
    """Judged at this look's level, so its intervals hold however often one looked; None when there
    are too few pairs for a look."""


def look(runs: Sequence[RunFigures], plan: Plan, gate: Gate = DEFAULT_GATE, *, last: bool = False) -> Look:
    """Judges the runs made so far; call it after each pair.

    ``last`` says that no more runs will come: the plan is through, or the experiment was ended for
    a reason that has nothing to do with its figures. The gate's own alpha gives way to the plan's.
    Looking twice at the same pairs is one look.
    """
    done = len(pair_up(runs).pairs)
    last = last or done >= plan.pairs
    if not last and done < plan.first_look:
        return Look(stop=False, comparison=None)
    comparison = compare(runs, replace(gate, alpha=plan.last_level if last else plan.early_level))
    clear = comparison.verdict in (Verdict.SLOWER, Verdict.FASTER, Verdict.SAME)
    return Look(stop=last or clear, comparison=comparison)
