"""Is build B slower than build A? Judged over pairs of runs, so that chance and drift are no builds.

Per statistic: the logarithm of candidate over baseline, pair by pair; their mean with a t interval;
Holm's correction over all that is judged; the gate of `wsload.judge.compare.verdict`. Simulated with a
drift of 1 % a run and the scatter of real runs, a false *slower* comes in about one comparison of a
thousand (``tests/truth/test_gate_simulation.py`` prints the table).

With fewer than two pairs there is nothing to tell the builds from the runs: the interval then comes
from the seconds within the two runs, widened by what runs usually scatter and drift, and every
verdict says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wsload.exit_codes import ExitCode
from wsload.judge.compare.estimates import Statistic, Unjudged, over_pairs, over_seconds
from wsload.judge.compare.inference import as_ratio, holm_levels
from wsload.judge.compare.pairs import Excluded, Pairing, RunFigures, closest, pair_up, unlike
from wsload.judge.compare.verdict import Gate, Judgement, Verdict, decide, more_pairs
from wsload.words import percent

DEFAULT_GATE: Final = Gate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The candidate's runs against the baseline's."""

    verdict: Verdict
    """Of the whole: *slower* if anything is; else *inconclusive* if anything is, or could not be
    judged; else *faster* if anything is; else *same*."""
    judgements: tuple[Judgement, ...]
    """In the order of ``gate.judged``; what neither side recorded is absent."""
    unjudged: tuple[Unjudged, ...]
    pairs: tuple[tuple[str, str], ...]
    """The names (baseline, candidate) of the runs held against each other, in the order they ran."""
    excluded: tuple[Excluded, ...]
    warnings: tuple[str, ...]
    within_run_only: bool
    """One run a side: drift and scatter from run to run are assumed, not measured."""
    gate: Gate

    @property
    def exit_code(self) -> ExitCode:
        """What a command that judges by this comparison ends with."""
        return {
            Verdict.SLOWER: ExitCode.FAILED,
            Verdict.NO_VALID_RUNS: ExitCode.UNTRUSTED,
            Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        }.get(self.verdict, ExitCode.OK)


def compare(runs: Sequence[RunFigures], gate: Gate = DEFAULT_GATE) -> Comparison:
    """Judges the candidate's runs against the baseline's.

    With fewer than two valid pairs, the two valid runs that ran closest together are compared by
    their `RunFigures.blocks`. Conditions that differ become warnings: whether to go on with such
    runs is the caller's question, see `unlike`.
    """
    pairing = pair_up(runs)
    alone = len(pairing.pairs) < 2
    if alone:
        two = closest(runs)
        if two is None:
            return _whole((), (), pairing, gate, unlike(runs), no_runs=True)
        pairing = _only(two, pairing, runs)
    used = [run for pair in pairing.pairs for run in pair]
    warnings = [*unlike(used)]
    if alone:
        warnings.append(
            "one run a side: how runs of one build differ from each other is not measured, only allowed for "
            f"(scatter {percent(gate.run_deviation)} a run, drift {percent(gate.drift)}): make pairs of runs"
        )
    elif abs(pairing.offset) > 1:
        warnings.append(
            f"the runs did not alternate: the candidate ran {pairing.offset:+.1f} runs after the baseline "
            f"on average, so a drift of {percent(gate.drift)} a run is allowed for: run in the order A B B A"
        )
    estimated = over_seconds(pairing, gate) if alone else over_pairs(pairing, gate)
    found = [each for each in estimated if isinstance(each, Statistic)]
    unjudged = tuple(each for each in estimated if isinstance(each, Unjudged))
    limit = math.log1p(gate.ratio)
    levels = holm_levels({each.name: each.estimate.p_beyond(limit) for each in found}, gate.alpha)
    judgements = tuple(_judge(each, levels[each.name], gate, alone) for each in found)
    return _whole(judgements, unjudged, pairing, gate, warnings, alone=alone)


def _only(two: tuple[RunFigures, RunFigures], pairing: Pairing, runs: Sequence[RunFigures]) -> Pairing:
    reasons = {each.name: each.reason for each in pairing.excluded}
    left_out = [run for run in runs if run is not two[0] and run is not two[1]]
    excluded = tuple(
        Excluded(name=run.name, reason=reasons.get(run.name, "fewer than two valid pairs"))
        for run in left_out
    )
    return Pairing(pairs=(two,), excluded=excluded, offset=1.0)


def _judge(each: Statistic, level: float, gate: Gate, alone: bool) -> Judgement:
    verdict, within = decide(
        each.estimate, level=level, gate=gate, baseline_ns=each.baseline_ns, shift_ns=each.shift_ns
    )
    more = None
    if verdict is Verdict.INCONCLUSIVE:
        more = more_pairs(
            each.estimate,
            pairs=each.pairs,
            deviation=each.deviation,
            level=level,
            gate=gate,
            baseline_ns=each.baseline_ns,
            shift_ns=each.shift_ns,
        )
    judged_low, judged_high = each.estimate.interval(level)
    return Judgement(
        name=each.name,
        baseline_ns=each.baseline_ns,
        candidate_ns=each.candidate_ns,
        shift_ns=each.shift_ns,
        ratio=as_ratio(each.estimate.mean),
        low=as_ratio(each.measured[0]),
        high=as_ratio(each.measured[1]),
        level=level,
        judged_low=as_ratio(judged_low),
        judged_high=as_ratio(judged_high),
        pairs=each.pairs,
        deviation=each.deviation,
        verdict=verdict,
        within=within,
        more_pairs=more,
        within_run_only=alone,
    )


def _whole(
    judgements: tuple[Judgement, ...],
    unjudged: tuple[Unjudged, ...],
    pairing: Pairing,
    gate: Gate,
    warnings: Sequence[str],
    *,
    alone: bool = False,
    no_runs: bool = False,
) -> Comparison:
    verdicts = {each.verdict for each in judgements}
    if no_runs:
        overall = Verdict.NO_VALID_RUNS
    elif Verdict.SLOWER in verdicts:
        overall = Verdict.SLOWER
    elif unjudged or not judgements or Verdict.INCONCLUSIVE in verdicts:
        overall = Verdict.INCONCLUSIVE
    else:
        overall = Verdict.FASTER if Verdict.FASTER in verdicts else Verdict.SAME
    return Comparison(
        verdict=overall,
        judgements=judgements,
        unjudged=unjudged,
        pairs=tuple((a.name, b.name) for a, b in pairing.pairs),
        excluded=pairing.excluded,
        warnings=tuple(warnings),
        within_run_only=alone,
        gate=gate,
    )
