"""A comparison of stored runs with all that people are shown of it: verdict, tables, curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Final

from wsload.errors import UsageError
from wsload.judge.compare.compare import Comparison, compare
from wsload.judge.compare.curve import CurvePoint, ratio_curve, ratio_curve_within
from wsload.judge.compare.pairs import PARTS, RunFigures, Side, unlike
from wsload.judge.compare.verdict import Gate, Judgement, Verdict
from wsload.report.comparison.runs import ComparedRun, read_runs
from wsload.words import change, listed, milliseconds, percent_up, printable, rate

LETTERS: Final[Mapping[Side, str]] = {Side.BASELINE: "A", Side.CANDIDATE: "B"}
RATES_APART: Final = 0.05
"""Sides whose message rates differ by more than this get a warning."""

Judge = Callable[[Sequence[RunFigures]], Comparison]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """What is rendered."""

    comparison: Comparison
    names: Mapping[Side, str]
    """What each side's build is called; differs between the sides."""
    runs: tuple[ComparedRun, ...]
    """All that were read, in the order they were made."""
    curves: Mapping[str, tuple[CurvePoint, ...]]
    """By metric, the builds' percentiles and their ratio over the runs that were used."""
    warnings: tuple[str, ...]
    """What there is to say against it, one sentence each."""

    def of(self, side: Side) -> tuple[ComparedRun, ...]:
        """That side's runs which were used."""
        place = 0 if side is Side.BASELINE else 1
        used = {pair[place] for pair in self.comparison.pairs}
        return tuple(run for run in self.runs if run.name in used)

    @property
    def a(self) -> str:
        """The baseline, for people: ``A (v1)``, or just ``A``."""
        return self._called(Side.BASELINE)

    @property
    def b(self) -> str:
        """The candidate."""
        return self._called(Side.CANDIDATE)

    def _called(self, side: Side) -> str:
        letter, name = LETTERS[side], self.names[side]
        return letter if name == letter else f"{letter} ({name})"

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        judged = self.comparison.judgements
        match self.comparison.verdict:
            case Verdict.SLOWER | Verdict.FASTER as verdict:
                which = next(
                    (each for each in judged if each.verdict is verdict and each.name.startswith("message.")),
                    next(each for each in judged if each.verdict is verdict),
                )
                by = f"{milliseconds(abs(which.shift_ns))}, {change(which.ratio)}"
                where = f"{named(judged, verdict)}; {which.name.replace('.', ' ')} by {by}"
                return f"{self.b} is {verdict} than {self.a}: {where}"
            case Verdict.SAME:
                widest = max(each.within for each in judged)
                return f"{self.b} is as fast as {self.a}, within {percent_up(widest)} in all that was judged"
            case Verdict.INCONCLUSIVE:
                return f"{self._open_questions()}: nothing is shown to be slower"
            case _:
                without = [
                    self._called(side)
                    for side in Side
                    if not any(run.figures.valid for run in self.side(side))
                ]
                return f"Nothing can be compared: without a valid run of {listed(without)}"

    def side(self, side: Side) -> tuple[ComparedRun, ...]:
        """All of that side's runs, used or not."""
        return tuple(run for run in self.runs if run.side is side)

    def _open_questions(self) -> str:
        judged = self.comparison.judgements
        unjudged = [each.name for each in self.comparison.unjudged]
        if not judged and not unjudged:
            return "The runs recorded nothing that is judged"
        if names := named(judged, Verdict.INCONCLUSIVE):
            return f"It can't be told yet whether {self.b} is slower than {self.a} in {names}"
        return f"{listed(unjudged)} could not be judged"


def make_report(
    baseline: Sequence[Path],
    candidate: Sequence[Path],
    *,
    gate: Gate,
    force: bool = False,
    mixed: bool = False,
    judge: Judge | None = None,
    names: tuple[str, str] | None = None,
) -> ComparisonReport:
    """Reads the runs and judges them; ``judge`` replaces the plain `compare` under the gate.

    ``mixed`` makes warnings of conditions that differ; ``force`` does, and uses runs that are not
    valid too. Raises `UsageError` for sides without runs, and for runs made under different
    conditions; `ResultsError` for runs that can't be read.
    """
    for letter, paths in (("A", baseline), ("B", candidate)):
        if not paths:
            raise UsageError(f"side {letter} has no runs")
    runs = read_runs(baseline, candidate, force=force)
    figures = [run.figures for run in runs]
    differences = unlike(figures)
    if differences and not (force or mixed):
        raise UsageError(f"{differences[0]}; --force compares them all the same")
    comparison = (judge or (lambda found: compare(found, gate)))(figures)
    by_name = {run.name: run for run in runs}
    pairs = [(by_name[a], by_name[b]) for a, b in comparison.pairs]
    forced = [
        f"{run.name} is used all the same (--force): {run.doubt}" for run in runs if run.doubt and force
    ]
    return ComparisonReport(
        comparison=comparison,
        names=_side_names(runs, names),
        runs=runs,
        curves=_curves(pairs, comparison),
        warnings=tuple(dict.fromkeys([*comparison.warnings, *differences, *forced, *_rates_apart(pairs)])),
    )


def _side_names(runs: Sequence[ComparedRun], given: tuple[str, str] | None) -> dict[Side, str]:
    if given is not None:
        return {side: printable(name) for side, name in zip(Side, given, strict=True)}
    found = {
        side: printable(", ".join(dict.fromkeys(run.info.build for run in runs if run.side is side)))
        for side in Side
    }
    told_apart = len(set(found.values())) == len(found) and all(len(name) <= 60 for name in found.values())
    return found if told_apart else dict(LETTERS)


def _rates_apart(pairs: Sequence[tuple[ComparedRun, ComparedRun]]) -> list[str]:
    if not pairs:
        return []
    a, b = (median(run.sent_rate for run in side) for side in zip(*pairs, strict=True))
    if abs(a - b) <= RATES_APART * max(a, b):
        return []
    return [
        f"the load was not the same: {rate(a)} messages a second were sent to A and {rate(b)} to B; a closed "
        "workload sends less to the slower server: give the rate, with --ws-rate or constant_rate"
    ]


def _curves(
    pairs: Sequence[tuple[ComparedRun, ComparedRun]], comparison: Comparison
) -> dict[str, tuple[CurvePoint, ...]]:
    alpha = comparison.gate.alpha
    found: dict[str, tuple[CurvePoint, ...]] = {}
    for metric in PARTS:
        if not pairs or any(metric not in run.histograms for pair in pairs for run in pair):
            continue
        if comparison.within_run_only:
            a, b = ((run.histograms[metric], run.figures.blocks[metric]) for run in pairs[0])
            found[metric] = ratio_curve_within(a, b, alpha=alpha)
        else:
            both = [(a.histograms[metric], b.histograms[metric]) for a, b in pairs]
            found[metric] = ratio_curve(both, alpha=alpha)
    return {metric: curve for metric, curve in found.items() if curve}


def named(judgements: Sequence[Judgement], verdict: Verdict) -> str:
    """The statistics with this verdict: ``message, delivery p50 and p99``; empty for none.

    A metric all of whose judged statistics have it stands for these.
    """
    found = []
    for metric, group in groupby(judgements, key=lambda each: each.name.rpartition(".")[0]):
        every = list(group)
        having = [each.name.rpartition(".")[2] for each in every if each.verdict is verdict]
        if having:
            found.append(metric if len(having) == len(every) else f"{metric} {listed(having)}")
    return ", ".join(found)
