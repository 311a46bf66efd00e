"""The sentences of a comparison: its verdict, what that means, and what it is based on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from wsload.judge.compare.pairs import Basis, Side
from wsload.judge.compare.selection import Unjudged, parts_of
from wsload.judge.compare.verdict import Judgement, Verdict
from wsload.report.comparison.comparison import ComparisonReport
from wsload.words import change, changes, counted, listed, milliseconds, ms, percent, percent_up, span

MAX_MORE: Final = 200
"""More pairs than this are not suggested."""
_MAX_NAMED: Final = 4
_MAX_CALIBRATED: Final = 6


def headline(report: ComparisonReport) -> str:
    """The verdict in one sentence."""
    judged = report.comparison.judgements
    a, b = (report.called(side) for side in Side)
    match report.comparison.verdict:
        case Verdict.FAILS_MORE:
            worst = max(
                (each for each in judged if each.verdict is Verdict.FAILS_MORE), key=lambda each: each.change
            )
            also = f"; it is also slower: {named(judged, Verdict.SLOWER)}"
            return f"{b} fails more than {a}: {_failing(worst)}" + (
                also if any(each.verdict is Verdict.SLOWER for each in judged) else ""
            )
        case Verdict.SLOWER | Verdict.FASTER as verdict:
            which, *more = (each for each in judged if each.verdict is verdict)
            by = f"{which.name} by {milliseconds(abs(which.shift))}, {change(which.change)}"
            return f"{b} is {verdict} than {a}: " + (f"{named(judged, verdict)}; {by}" if more else by)
        case Verdict.NOT_SLOWER:
            if all(each.is_share for each in judged):
                return f"{b} does not fail more than {a}; no times were judged"
            return f"{b} is not slower than {a}: {_widest(report)}"
        case Verdict.INCONCLUSIVE:
            return _open_questions(report, a, b)
        case _:
            without = [
                report.called(side)
                for side in Side
                if not any(run.figures.valid for run in report.every(side))
            ]
            return f"Nothing can be compared: there is no valid run of {listed(without, 'or')}"


def _failing(worst: Judgement) -> str:
    metric, how = parts_of(worst.name)
    return f"{metric} {percent(worst.candidate)} {how}, compared with {percent(worst.baseline)}"


def _widest(report: ComparisonReport) -> str:
    """The largest change that could not be ruled out."""
    gate = report.comparison.gate
    times = [each for each in report.comparison.judgements if not each.is_share and each.high is not None]
    near = [each.high - 1 for each in times if each.high is not None and each.high - 1 <= gate.same_within]
    small = [each for each in times if each.high is not None and each.high - 1 > gate.same_within]
    bounds = [f"{percent_up(max(0.0, *near))}"] if near else []
    bounds += [milliseconds(gate.shift_ns)] if small else []
    return f"at most {listed(bounds, 'or')} slower in everything that was judged"


def _open_questions(report: ComparisonReport, a: str, b: str) -> str:
    comparison = report.comparison
    if comparison.basis is Basis.NONE:
        failing = [each for each in comparison.judgements if each.change > comparison.gate.failures_within]
        worst = max((each for each in failing if each.is_share), key=lambda each: each.change, default=None)
        seen = f" (this one: {_failing(worst)})" if worst is not None else ""
        return (
            f"One run per side can't tell whether {b} is slower than {a}, because even two runs of the same "
            f"build differ{seen}: make several of each (wsload ab), or state how much they differ (--scatter 5%)"
        )
    blocking = [each.name for each in comparison.unjudged if each.blocks]
    if names := named(comparison.judgements, Verdict.INCONCLUSIVE):
        open_shares = [
            each for each in comparison.judgements if each.is_share and each.verdict is Verdict.INCONCLUSIVE
        ]
        worse = f"is slower than {a}" + (" or fails more" if open_shares else "")
        also = f"; {shortened(blocking)} could not be judged" if blocking else ""
        return f"Can't tell yet whether {b} {worse}; undecided: {names}{also}"
    if not (blocking or comparison.finished):
        return f"Can't tell yet whether {b} is slower than {a}: the experiment is not finished"
    if not comparison.unjudged:
        return "The runs recorded no times that could be judged"
    blocking = blocking or [each.name for each in comparison.unjudged]
    return f"Can't tell whether {b} is slower than {a}: {shortened(blocking)} could not be judged"


def named(judgements: Iterable[Judgement], verdict: Verdict) -> str:
    """The statistics with this verdict: ``message, delivery p50 and p99``; empty for none.

    A metric alone means that all of its judged statistics have it.
    """
    found = []
    for metric, group in groupby(judgements, key=lambda each: parts_of(each.name)[0]):
        every = list(group)
        having = [parts_of(each.name)[1] for each in every if each.verdict is verdict]
        if having:
            found.append(metric if len(having) == len(every) > 1 else f"{metric} {listed(having)}")
    return shortened(found)


def shortened(names: Sequence[str]) -> str:
    """The names, or the first few and how many more there are."""
    more = len(names) - _MAX_NAMED
    return ", ".join([*names[:_MAX_NAMED], f"{more} more"] if more > 0 else names)


def verdict_words(judgement: Judgement, same_within: float, shift_ns: int) -> str:
    """The verdict on one statistic, for a table's cell; in brackets, how many more pairs would settle it."""
    match judgement.verdict:
        case Verdict.INCONCLUSIVE if judgement.low is None:
            return "–"
        case Verdict.INCONCLUSIVE if judgement.more_pairs is not None and judgement.more_pairs <= MAX_MORE:
            return f"inconclusive (+{judgement.more_pairs})"
        case Verdict.INCONCLUSIVE:
            return "inconclusive"
        case Verdict.NOT_SLOWER if judgement.is_share:
            return "no more"
        case Verdict.NOT_SLOWER if judgement.high is not None and judgement.high - 1 > same_within:
            return f"within {milliseconds(shift_ns)}"
        case verdict:
            return str(verdict)


def gate_sentences(report: ComparisonReport) -> tuple[str, ...]:
    """What the verdicts mean."""
    comparison, gate = report.comparison, report.comparison.gate
    if comparison.basis is Basis.NONE or not comparison.judgements:
        return ()
    told = {each.verdict for each in comparison.judgements}
    found = [
        f"The change lies between the two bounds. Slower: more than {percent(gate.ratio)} slower at the lower "
        f"bound, and more than {milliseconds(gate.shift_ns)} slower as measured. Not slower: at most "
        f"{percent(gate.same_within)} or {milliseconds(gate.shift_ns)} slower at the upper bound. Each is wrong "
        f"by chance in at most {percent(gate.alpha)} of comparisons."
    ]
    if any(each.is_share for each in comparison.judgements):
        found.append(
            "Lost and failed are shares of all attempts (pp: percentage points). Fails more: more at the lower "
            f"bound, and by more than {_points(gate.failures_floor).lstrip('+')} as measured. No more: at most "
            f"{_points(gate.failures_within).lstrip('+')} more at the upper bound."
        )
    if Verdict.INCONCLUSIVE in told and any(each.more_pairs for each in comparison.judgements):
        found.append("In brackets: about how many more pairs of runs would settle it.")
    return tuple(found)


def unjudged_sentences(unjudged: Sequence[Unjudged]) -> tuple[str, ...]:
    """What was not judged and why, a sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for each in unjudged:
        by_reason.setdefault(each.reason, []).append(each.name)
    return tuple(f"Not judged: {listed(names)} ({reason})." for reason, names in by_reason.items())


def basis_sentence(report: ComparisonReport) -> str:
    """What the figures are based on."""
    comparison = report.comparison
    runs = [run for side in Side for run in report.used(side)]
    if not runs:
        return ""
    users = runs[0].figures.conditions["users"]
    load = f"of {span(round(max(run.summary.duration_s for run in runs), 1))}, {users} users"
    match comparison.basis:
        case Basis.PAIRS:
            pairs = len(comparison.pairs)
            fewest = min((each.pairs for each in comparison.judgements), default=pairs)
            less = f" (where some are not trusted, over at least {fewest})" if fewest < pairs else ""
            return f"{counted(pairs, 'pair')} of runs {load}; A and B are geometric means over them{less}"
        case Basis.RUNS:
            a, b = (counted(len(report.used(side)), "run") for side in Side)
            return f"{a} of A and {b} of B, unpaired, {load}; A and B are geometric means over them"
        case Basis.STATED:
            return f"one run per side {load}; the scatter between runs is as stated, not measured"
        case _:
            return f"one run per side {load}"


def shown_value(value: float, *, is_share: bool = False, more: bool = False) -> str:
    """A side's figure, for a cell: ``12.4``, ``0.3 %``; ``>250`` for a lower bound."""
    return percent(value) if is_share else f"{'>' * more}{ms(value)}"


def calibration_sentences(judgements: Sequence[Judgement]) -> tuple[str, ...]:
    """How much A differed from itself, if that was measured."""
    found = [
        f"{each.name} {_points(each.calibration) if each.is_share else change(each.calibration)}"
        for each in judgements
        if each.calibration is not None
    ]
    if not found:
        return ()
    more = f" and {len(found) - _MAX_CALIBRATED} more" if len(found) > _MAX_CALIBRATED else ""
    shown = f"{', '.join(found[:_MAX_CALIBRATED])}{more}"
    return (
        f"With A on both sides, the change was: {shown}. The bounds are widened only if one of these is more "
        "than chance explains.",
    )


def shown_change(judgement: Judgement) -> str:
    """The change, for a cell."""
    return _points(judgement.change) if judgement.is_share else change(judgement.change)


def shown_bounds(judgement: Judgement) -> str:
    """The bounds of the change, for a cell: ``+8.1 to +12.0 %``."""
    if judgement.low is None or judgement.high is None:
        return "–"
    bounds = judgement.low, judgement.high
    said = list(map(_points, bounds) if judgement.is_share else changes(*bounds))
    for unit in (" %", " pp"):
        if all(each.endswith(unit) for each in said):
            said[0] = said[0].removesuffix(unit)
    return " to ".join(said)


def _points(difference: float) -> str:
    """A difference of two shares, in percentage points: ``+1.2 pp``."""
    if not difference:
        return "0 pp"
    sign = "+" if difference > 0 else "-"
    return f"{sign}{percent(abs(difference)).removesuffix(' %')} pp"
