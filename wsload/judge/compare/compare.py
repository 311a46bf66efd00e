"""Is build B slower than build A, or does it fail more? Judged so that chance and drift are no builds.

The chain: which runs stand against each other (`wsload.judge.compare.pairs`), which statistics they have
(`selection`), how far these differ and how sure that is (`estimates`), and what the gate says (`verdict`).
How often the answer is wrong, and how often it is found, is simulated in the documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wsload.exit_codes import ExitCode
from wsload.judge.compare.estimates import Measured, measure
from wsload.judge.compare.inference import as_ratio
from wsload.judge.compare.pairs import Basis, Design, Excluded, RunFigures, design, pair_up, unlike
from wsload.judge.compare.power import more_pairs
from wsload.judge.compare.selection import Unjudged
from wsload.judge.compare.verdict import Gate, Judgement, Verdict, decide
from wsload.words import percent

DEFAULT_GATE: Final = Gate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The candidate's runs against the baseline's."""

    verdict: Verdict
    """Of the whole: *fails more* or *slower* if anything does or is; else *inconclusive* if anything is, or
    could not be judged; else *faster* if anything is; else *not slower*."""
    judgements: tuple[Judgement, ...]
    """First times, then the shares of lost and failed attempts; what nobody lost or failed at is absent."""
    unjudged: tuple[Unjudged, ...]
    pairs: tuple[tuple[str, str], ...]
    """The names (baseline, candidate) of the runs held against each other, in the order they ran; empty
    where the runs are not paired."""
    used: tuple[str, ...]
    """The names of all the runs that went in."""
    excluded: tuple[Excluded, ...]
    warnings: tuple[str, ...]
    basis: Basis
    gate: Gate

    @property
    def exit_code(self) -> ExitCode:
        """0 not slower, 1 slower or failing more, 3 no valid runs, 4 it can't be told."""
        return {
            Verdict.FAILS_MORE: ExitCode.FAILED,
            Verdict.SLOWER: ExitCode.FAILED,
            Verdict.NO_VALID_RUNS: ExitCode.UNTRUSTED,
            Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        }.get(self.verdict, ExitCode.OK)


def compare(runs: Sequence[RunFigures], gate: Gate = DEFAULT_GATE) -> Comparison:
    """Judges the candidate's runs against the baseline's.

    With one run a side nothing is judged unless the gate knows how runs scatter. Conditions that differ
    become warnings: whether to go on with such runs is the caller's question, see `unlike`.
    """
    chosen = design(runs, stated=bool(gate.scatter))
    if chosen is None:
        return Comparison(
            verdict=Verdict.NO_VALID_RUNS,
            judgements=(),
            unjudged=(),
            pairs=(),
            used=(),
            excluded=pair_up(runs).excluded,
            warnings=unlike(runs),
            basis=Basis.NONE,
            gate=gate,
        )
    measured, unjudged = measure(chosen, gate)
    judgements = _judged(measured, gate) if len(measured.names) else ()
    return Comparison(
        verdict=_whole(judgements, unjudged),
        judgements=judgements,
        unjudged=tuple(unjudged),
        pairs=tuple((a.name, b.name) for a, b in chosen.pairs),
        used=tuple(run.name for run in chosen.runs),
        excluded=chosen.excluded,
        warnings=(*unlike(chosen.runs), *_order_warning(chosen, gate)),
        basis=chosen.basis,
        gate=gate,
    )


def _judged(measured: Measured, gate: Gate) -> tuple[Judgement, ...]:
    given = [_given(measured, at) for at in range(len(measured.names))]
    if measured.evidence is None:
        return tuple(given)
    found = decide(
        measured.evidence,
        gate,
        baseline=measured.baseline,
        candidate=measured.candidate,
        times=measured.times,
    )
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
        judgements.append(replace(judgement, more_pairs=more_pairs(judgement, gate)))
    return tuple(judgements)


def _given(measured: Measured, at: int) -> Judgement:
    """What can be said without knowing the scatter between runs."""
    a, b, is_share = float(measured.baseline[at]), float(measured.candidate[at]), at >= measured.times
    return Judgement(
        name=measured.names[at],
        is_share=is_share,
        baseline=a,
        candidate=b,
        change=b - a if is_share else b / a,
        pairs=int(measured.pairs[at]),
        verdict=Verdict.INCONCLUSIVE,
    )


def _whole(judgements: Sequence[Judgement], unjudged: Sequence[Unjudged]) -> Verdict:
    verdicts = {each.verdict for each in judgements}
    for worse in (Verdict.FAILS_MORE, Verdict.SLOWER):
        if worse in verdicts:
            return worse
    if not judgements or Verdict.INCONCLUSIVE in verdicts or any(each.blocks for each in unjudged):
        return Verdict.INCONCLUSIVE
    # Not even with a loss too small to count is a build called faster.
    loses = any(each.is_share and each.change > 0 for each in judgements)
    return Verdict.FASTER if Verdict.FASTER in verdicts and not loses else Verdict.NOT_SLOWER


def _order_warning(chosen: Design, gate: Gate) -> list[str]:
    if abs(chosen.offset) <= 1:
        return []
    return [
        f"the runs did not alternate: on average the candidate ran {chosen.offset:+.1f} runs after the "
        f"baseline, so a drift of {percent(gate.drift)} a run is allowed for; run in the order A B B A"
    ]
