"""Interim looks at an experiment (``--stop-early``) and extensions (``--more``) without additional false alarms.

Looking after each pair and stopping at the first *slower* would raise far more false alarms than a single look; so
would adding pairs until the answer pleases. So alpha, the chance of a false alarm, is spent by a rule that is fixed
beforehand:

- A part of it, `PLANNED`, goes to the planned pairs. Each extension (``--more``) gets the same part of what is
  left, so that the parts add up to at most alpha, however often an experiment is extended.
- With ``--stop-early``, a small part of the planned share is divided equally among the looks before the last
  planned one (J. Haybittle, Repeated assessment of results in clinical trials of cancer treatment, British
  Journal of Radiology 44, 1971, 793–797; R. Peto et al., Design and analysis of randomized clinical trials
  requiring prolonged observation of each patient, British Journal of Cancer 34, 1976, 585–612). This stops only
  for large differences, and costs hardly any power for small ones, as a benchmark needs: a build that is
  twice as slow is detected after three or four pairs.

However the looks depend on each other, the chance that any of them is wrong is at most the sum of their shares
(Bonferroni's inequality), and each look is an exact test at its share. The size of an extension may depend on
earlier results, because of the way `wsload.judge.compare.inference.Evidence` combines stages.
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
"""The part of alpha that is spent on the planned pairs; each extension spends the same part of the rest."""
CLEAR: Final = frozenset((Verdict.FAILS_MORE, Verdict.SLOWER, Verdict.FASTER, Verdict.NOT_SLOWER))


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPlan:
    """An experiment's looks, fixed before its first run."""

    pairs: int = 10
    """Planned pairs of runs; the last look comes after them."""
    first_look: int = 3
    """Valid pairs before the first look; two are too few at these levels."""
    early_share: float = 0.0
    """The part of the planned share that goes to the looks before the last one; 0 for no such looks."""

    def __post_init__(self) -> None:
        if self.pairs < 2:
            raise UsageError(f"an experiment needs at least 2 pairs of runs, not {self.pairs}")
        if self.first_look < 2:
            raise UsageError(f"the first look needs at least 2 pairs of runs, not {self.first_look}")
        if not 0 <= self.early_share < 1:
            raise UsageError("the early share of alpha must lie between 0 and 1")

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
        """The share of the last look, even if the experiment was cut short for another reason."""
        return PLANNED - self.early * self.early_looks

    def extension(self, number: int) -> float:
        """The share of the look after the n-th extension, from 1."""
        return PLANNED * (1 - PLANNED) ** number


EARLY_SHARE: Final = 0.15
"""`LookPlan.early_share` for ``--stop-early``."""


def look(
    runs: Sequence[RunFigures],
    plan: LookPlan,
    gate: Gate = DEFAULT_GATE,
    *,
    calibration: Sequence[RunFigures] = (),
) -> Comparison | None:
    """The look at the runs made so far, before the last planned pair; None if none is due. Call it after each pair.

    The experiment may stop if the verdict is in `CLEAR`. Looking twice at the same pairs counts as one look.
    An extension has no looks: its share is for the judgement after its last pair.
    """
    extended = any(run.stage for run in runs)
    if extended or not plan.early_looks or not plan.first_look <= len(pair_up(runs).pairs) < plan.pairs:
        return None
    return judged(runs, plan, gate, calibration=calibration, early=True)


def judged(
    runs: Sequence[RunFigures],
    plan: LookPlan,
    gate: Gate = DEFAULT_GATE,
    *,
    calibration: Sequence[RunFigures] = (),
    early: bool = False,
) -> Comparison:
    """Judges an experiment's runs in pairs, at their stage's share of the gate's alpha, whatever their number.

    So the bounds hold however many looks there were. ``early`` says that the stopping rule ended the experiment: its
    share is then that of a look.
    """
    stage = max((run.stage for run in runs), default=0)
    share = plan.extension(stage) if stage else plan.early if early else plan.last
    return compare(
        runs,
        replace(gate, alpha=share * gate.alpha),
        calibration,
        paired=True,
        extension=plan.extension(stage + 1) / share,
    )
