"""How often one may look at an experiment without more false alarms: ``--stop-early`` and ``--more``.

Looking after each pair and stopping at the first *slower* would raise a false alarm far more often than
any single look does; so would adding pairs until the answer pleases. So the chance of one, alpha, is spent
by a rule that is fixed beforehand:

- `PLANNED` of it goes to the pairs that were planned, and of what is left then, the same part to each
  extension (``--more``): however often an experiment is extended, the parts add up to alpha at most.
- With ``--stop-early``, a small part of the planned share goes in equal shares to the looks before the last
  one planned (J. Haybittle, Repeated assessment of results in clinical trials of cancer treatment, British
  Journal of Radiology 44, 1971, 793–797; R. Peto et al., Design and analysis of randomized clinical trials
  requiring prolonged observation of each patient, British Journal of Cancer 34, 1976, 585–612). It stops for
  large differences only, and costs the small ones hardly any power, which is what a benchmark wants: a
  build twice as slow is known after three or four pairs.

Whatever the looks have in common, the chance that any of them is wrong is at most the sum of their shares
(Bonferroni's inequality), and each look is an exact test at its share. How many pairs an extension has may
depend on what was seen before: stages are combined as `wsload.judge.compare.inference.Evidence` tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wsload.errors import UsageError
from wsload.judge.compare.compare import DEFAULT_GATE, Comparison, compare
from wsload.judge.compare.pairs import RunFigures, pair_up
from wsload.judge.compare.verdict import Gate, Verdict

PLANNED: Final = 0.8
"""The part of alpha that is spent on what was planned; of the rest, each extension spends as much again."""
CLEAR: Final = frozenset((Verdict.FAILS_MORE, Verdict.SLOWER, Verdict.FASTER, Verdict.NOT_SLOWER))


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """An experiment's looks, fixed before its first run."""

    pairs: int = 10
    """Pairs of runs planned; the last look comes after them."""
    first_look: int = 3
    """Valid pairs before the first look: two can't tell anything at these levels."""
    early_share: float = 0.0
    """The part of the planned share that goes to all the looks before the last one; 0 for no such looks."""

    def __post_init__(self) -> None:
        if self.pairs < 2:
            raise UsageError(f"an experiment takes at least 2 pairs of runs, not {self.pairs}")
        if self.first_look < 2:
            raise UsageError(f"the first look comes after at least 2 pairs of runs, not {self.first_look}")
        if not 0 <= self.early_share < 1:
            raise UsageError("the early share of alpha lies between 0 and 1")

    @property
    def early_looks(self) -> int:
        """The number of looks before the last one."""
        return max(self.pairs - self.first_look, 0) if self.early_share else 0

    @property
    def early(self) -> float:
        """The share of alpha of each look before the last one."""
        return PLANNED * self.early_share / self.early_looks if self.early_looks else 0.0

    @property
    def last(self) -> float:
        """The share of the last look; also right when the experiment was cut short by something else."""
        return PLANNED - self.early * self.early_looks

    def extension(self, number: int) -> float:
        """The share of the look after the extension of this number, from 1."""
        return PLANNED * (1 - PLANNED) ** number


EARLY_SHARE: Final = 0.15
"""`LookPlan.early_share` for ``--stop-early``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the runs so far say."""

    stop: bool
    """Whether the verdict is clear. Always true of the last look."""
    comparison: Comparison | None
    """Judged at this look's level, so its bounds hold however often one looked; None when there are too few
    pairs for a look."""


def look(
    runs: Sequence[RunFigures], plan: LookPlan, gate: Gate = DEFAULT_GATE, *, last: bool = False
) -> Look:
    """Judges the runs made so far; to be called after each pair.

    ``last`` says that no more runs will come: the plan is through, or the experiment was ended for a reason
    that has nothing to do with its figures. The look has its share of the gate's alpha. Looking twice at
    the same pairs is one look.
    """
    done = len(pair_up(runs).pairs)
    stage = max((run.stage for run in runs), default=0)
    last = last or stage > 0 or done >= plan.pairs
    if not last and (done < plan.first_look or not plan.early_looks):
        return Look(stop=False, comparison=None)
    share = plan.extension(stage) if stage else plan.last if last else plan.early
    comparison = compare(runs, replace(gate, alpha=share * gate.alpha))
    return Look(stop=last or comparison.verdict in CLEAR, comparison=comparison)
