"""What the two sides of an experiment differ by when both run the same build.

Side by side, the servers compete for the machine, and one may have the better place. Where that is alike for both it
cancels. So now and then both sides run A. What they then differ by, beyond chance, is no difference between builds.
Once that is seen in one statistic the sides are known to differ, and what each statistic differed by is counted as a
possible bias: its bounds move out by as much. (If each had to be beyond chance on its own, one that just missed would
be called slower: with six statistics biased by seven deviations, in one experiment of seven.)
"""

from __future__ import annotations

from typing import Final

import numpy as np

from wsload.judge.compare.inference import Floats, Ints, t_quantile

SEEN: Final = 0.01
"""The chance, over all statistics together, that a bias is seen where there is none."""


def bias(differences: Floats, *, deviation: Floats, df: Ints) -> Floats:
    """The possible bias of each statistic, from 0; 0 for all unless one is beyond chance.

    ``differences`` are those of pairs of A and A, shape (pairs, statistics), NaN where one is not known;
    ``deviation`` is a pair's standard deviation, estimated from the experiment's other pairs with ``df`` degrees of
    freedom, shape (statistics,). By Student's t, with Bonferroni's correction.
    """
    pairs = (~np.isnan(differences)).sum(axis=0)
    levels = [t_quantile(1 - SEEN / 2 / max(len(deviation), 1), int(each)) for each in df]
    limit = np.array(levels) * deviation / np.sqrt(np.maximum(pairs, 1))
    seen = np.abs(mean_of(differences))
    differ = bool(((pairs > 0) & (seen > limit)).any())
    return np.where((pairs > 0) & differ, seen, 0.0)


def mean_of(differences: Floats) -> Floats:
    """The mean difference of each statistic; NaN where none is known."""
    pairs = (~np.isnan(differences)).sum(axis=0)
    total = np.nansum(differences, axis=0)
    return np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)
