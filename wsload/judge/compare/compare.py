"""Is build B slower than build A, or does it fail more? Neither chance nor drift may pass for a difference.

The steps: pair the runs (`wsload.judge.compare.pairs`), select the statistics (`selection`), estimate how much they
differ and how certain that is (`estimates`), and apply the gate (`verdict`). The documentation has simulations of how
often the answer is wrong, and how often a difference is found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from wsload.exit_codes import ExitCode
from wsload.judge.compare.estimates import Measured, measure
from wsload.judge.compare.inference import as_ratio
from wsload.judge.compare.pairs import (
    Basis,
    Design,
    Excluded,
    RunFigures,
    design,
    differing_conditions,
    pair_up,
)
from wsload.judge.compare.power import NextStage, more_pairs
from wsload.judge.compare.selection import Unjudged
from wsload.judge.compare.verdict import Gate, Judgement, Verdict, decide, margins
from wsload.words import listed, percent

DEFAULT_GATE: Final = Gate()
_MAX_NAMED: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The candidate's runs against the baseline's."""

    verdict: Verdict
    """The overall verdict: *fails more* or *slower* if any statistic is; else *inconclusive* if any is, if one that is
    needed could not be judged (`Unjudged.blocks`), or if no time was judged, unless only shares were asked for; else
    *faster* if any is; else *not slower*."""
    judgements: tuple[Judgement, ...]
    """First times, then the shares of lost and failed attempts that are not 0 in every run, or were asked for."""
    unjudged: tuple[Unjudged, ...]
    pairs: tuple[tuple[str, str], ...]
    """The names (baseline, candidate) of the paired runs, in the order they ran; empty if the runs are not
    paired."""
    used: tuple[str, ...]
    """The names of all runs that were used."""
    excluded: tuple[Excluded, ...]
    warnings: tuple[str, ...]
    basis: Basis
    gate: Gate
    finished: bool = True
    """Whether all runs of the experiment were made; see `so_far`."""

    @property
    def exit_code(self) -> ExitCode:
        """0 not slower, 1 slower or failing more, 3 no valid runs, 4 inconclusive."""
        return {
            Verdict.FAILS_MORE: ExitCode.FAILED,
            Verdict.SLOWER: ExitCode.FAILED,
            Verdict.NO_VALID_RUNS: ExitCode.UNTRUSTED,
            Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        }.get(self.verdict, ExitCode.OK)

    def so_far(self) -> Comparison:
        """The comparison of an experiment that has not ended: it may show that B is slower, but not that it isn't.

        For that all planned runs are needed, since stopping at a good moment would bias the verdict.
        """
        good = self.verdict in (Verdict.NOT_SLOWER, Verdict.FASTER)
        return replace(self, finished=False, verdict=Verdict.INCONCLUSIVE if good else self.verdict)


def compare(
    runs: Sequence[RunFigures],
    gate: Gate = DEFAULT_GATE,
    calibration: Sequence[RunFigures] = (),
    *,
    paired: bool = False,
    extension: float | None = None,
) -> Comparison:
    """Judges the candidate's runs against the baseline's; ``paired`` says that only whole pairs may be used.

    ``calibration`` are runs of A on both sides, made between the others; see `wsload.judge.compare.estimates`.

    With one run per side nothing is judged unless the gate states how runs scatter. Differing conditions
    become warnings; the caller decides whether to use such runs (see `differing_conditions`).

    ``extension`` is the share of the gate's alpha that pairs would get that are added later, as a stage of their own;
    None if they would be judged as if they had been planned. It matters only to the advice on how many to add.
    """
    chosen = design(runs, stated=bool(gate.scatter), paired=paired)
    if chosen is None:
        return Comparison(
            verdict=Verdict.NO_VALID_RUNS,
            judgements=(),
            unjudged=(),
            pairs=(),
            used=(),
            excluded=pair_up(runs).excluded,
            warnings=differing_conditions(runs),
            basis=Basis.NONE,
            gate=gate,
        )
    measured, unjudged = measure(chosen, gate, pair_up(calibration).pairs)
    judgements = _judged(measured, gate, extension) if len(measured.names) else ()
    return Comparison(
        verdict=_whole(judgements, unjudged, gate),
        judgements=judgements,
        unjudged=tuple(unjudged),
        pairs=tuple((a.name, b.name) for a, b in chosen.pairs),
        used=tuple(run.name for run in chosen.runs),
        excluded=chosen.excluded,
        warnings=(
            *differing_conditions(chosen.runs),
            *_order_warning(chosen, gate),
            *_bias_warnings(measured),
        ),
        basis=chosen.basis,
        gate=gate,
    )


def _judged(measured: Measured, gate: Gate, extension: float | None) -> tuple[Judgement, ...]:
    given = [_given(measured, at) for at in range(len(measured.names))]
    if measured.evidence is None:
        return tuple(given)
    found = decide(
        measured.evidence,
        gate,
        baseline=measured.baseline,
        candidate=measured.candidate,
        timed=measured.timed,
    )
    stages = _next_stages(measured, gate, extension) if extension else [None] * len(given)
    judgements = []
    for at, each in enumerate(given):
        shown = float if each.is_share else as_ratio
        if found.worse[at]:
            verdict = Verdict.FAILS_MORE if each.is_share else Verdict.SLOWER
        elif found.better[at]:
            verdict = Verdict.FASTER
        else:
            verdict = Verdict.NOT_SLOWER if found.cleared[at] else Verdict.INCONCLUSIVE
        judgement = replace(
            each,
            low=shown(found.low[at]),
            high=shown(found.high[at]),
            level=float(found.level[at]),
            deviation=float(measured.deviation[at]),
            verdict=verdict,
        )
        judgements.append(replace(judgement, more_pairs=more_pairs(judgement, gate, stages[at])))
    return tuple(judgements)


def _next_stages(measured: Measured, gate: Gate, share: float) -> list[NextStage | None]:
    """What pairs that are added later would be judged with, for each statistic."""
    assert measured.evidence is not None
    worse = measured.evidence.score_above(np.where(measured.timed, math.log1p(gate.ratio), 0.0))
    cleared = measured.evidence.score_below(margins(gate, measured.baseline, measured.timed))
    count = len(measured.evidence.stages)
    return [
        NextStage(share=share, stages=count, worse=float(one), cleared=float(other))
        for one, other in zip(worse, cleared, strict=True)
    ]


def _given(measured: Measured, at: int) -> Judgement:
    """The judgement as far as it does not depend on the scatter between runs."""
    a, b, is_share = float(measured.baseline[at]), float(measured.candidate[at]), not measured.timed[at]
    same = float(measured.calibration[at])
    shown = None if math.isnan(same) else same if is_share else as_ratio(same)
    return Judgement(
        name=measured.names[at],
        is_share=is_share,
        baseline=a,
        candidate=b,
        change=b - a if is_share else b / a,
        pairs=int(measured.pairs[at]),
        calibration=shown,
        verdict=Verdict.INCONCLUSIVE,
    )


def _whole(judgements: Sequence[Judgement], unjudged: Sequence[Unjudged], gate: Gate) -> Verdict:
    verdicts = {each.verdict for each in judgements}
    for worse in (Verdict.FAILS_MORE, Verdict.SLOWER):
        if worse in verdicts:
            return worse
    # Losses alone, which are judged unasked, don't tell whether a build is slower. Asked-for times block.
    enough = bool(judgements) if gate.judged else any(not each.is_share for each in judgements)
    if not enough or Verdict.INCONCLUSIVE in verdicts or any(each.blocks for each in unjudged):
        return Verdict.INCONCLUSIVE
    # A build that loses more is never called faster, even if the loss is too small to count.
    loses = any(each.is_share and each.change > 0 for each in judgements)
    return Verdict.FASTER if Verdict.FASTER in verdicts and not loses else Verdict.NOT_SLOWER


def _order_warning(chosen: Design, gate: Gate) -> list[str]:
    if abs(chosen.offset) <= 1:
        return []
    return [
        f"the runs did not alternate: on average the candidate ran {abs(chosen.offset):.1f} runs "
        f"{'after' if chosen.offset > 0 else 'before'} the baseline, so the bounds allow for a drift of "
        f"{percent(gate.drift)} per run; make the runs in the order A B B A"
    ]


def _bias_warnings(measured: Measured) -> list[str]:
    seen = zip(measured.names, measured.bias.tolist(), measured.timed.tolist(), strict=True)
    found = [f"{name} by {percent(math.expm1(extra))}" for name, extra, timed in seen if extra and timed]
    if not measured.bias.any():
        return []
    which = f" ({listed(found) if len(found) <= _MAX_NAMED else ', '.join([*found[:_MAX_NAMED], '…'])})"
    return [
        "with A on both sides, the sides differed by more than chance explains, so the bounds of each statistic are "
        f"widened by its difference{which if found else ''}"
    ]
