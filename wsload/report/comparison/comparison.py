"""A comparison of stored runs, with everything that its reports show: verdict, tables, curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from statistics import median
from typing import Final

from wsload.errors import UsageError
from wsload.judge.compare.compare import Comparison, compare
from wsload.judge.compare.curve import CurvePoint, ratio_curve
from wsload.judge.compare.pairs import Place, RunFigures, Side, differing_conditions
from wsload.judge.compare.selection import metrics_of, quantiles
from wsload.judge.compare.verdict import Gate
from wsload.report.comparison.runs import ComparedRun, has_workload, read_runs
from wsload.report.warnings import told_once
from wsload.results.window import Stretch
from wsload.words import build_name, listed, printable, rate

RATES_APART: Final = 0.05
"""Sides whose message rates differ by more than this get a warning."""
MAX_CURVES: Final = 20
"""How many metrics are drawn."""
_LONGEST_NAME: Final = 60

Judge = Callable[[Sequence[RunFigures]], Comparison]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """What is rendered."""

    comparison: Comparison
    names: Mapping[Side, str]
    """Each side's label; the two differ."""
    runs: tuple[ComparedRun, ...]
    """All runs, in the order in which they were made."""
    metrics: tuple[str, ...]
    """Those that are shown run by run and drawn, the main one first."""
    curves: Mapping[str, tuple[CurvePoint, ...]]
    """By metric: the builds' percentiles and their ratio over the runs that were used."""
    warnings: tuple[str, ...]
    """One sentence each."""

    def used(self, side: Side) -> tuple[ComparedRun, ...]:
        """The side's runs that were used."""
        return tuple(run for run in self.every(side) if run.name in self.comparison.used)

    def every(self, side: Side) -> tuple[ComparedRun, ...]:
        """All of the side's runs, used or not."""
        return tuple(run for run in self.runs if run.side is side)

    def called(self, side: Side) -> str:
        """A side's name: ``A (v1)``, or just ``A``."""
        return build_name(side.letter, self.names[side])


def make_report(
    baseline: Sequence[Path],
    candidate: Sequence[Path],
    *,
    gate: Gate,
    force: bool = False,
    mixed: bool = False,
    judge: Judge | None = None,
    names: tuple[str, str] | None = None,
    places: Mapping[Path, Place] | None = None,
    stretch: Stretch | None = None,
) -> ComparisonReport:
    """Reads the runs and judges them; ``judge`` replaces the plain `compare` under the gate.

    ``mixed`` turns different conditions, and statistics that no run has, into warnings; ``force`` does the former, and
    also uses runs that are not valid; ``places`` gives each run's place in an experiment; ``stretch`` is another
    part of each run than its own window.

    Raises `UsageError` for sides without runs, runs made under different conditions and statistics that no run has;
    `ResultsError` for runs that can't be read.
    """
    for letter, paths in (("A", baseline), ("B", candidate)):
        if not paths:
            raise UsageError(f"side {letter} has no runs")
    runs = read_runs(baseline, candidate, force=force, places=places, stretch=stretch)
    figures = [run.figures for run in runs]
    differences = differing_conditions(figures)
    if differences and not (force or mixed):
        raise UsageError(f"{_refusal(differences)}; --force compares them anyway")
    if not mixed:
        _check_judged(figures, gate)
    comparison = (judge or (lambda found: compare(found, gate)))(figures)
    used = {side: [run for run in runs if run.side is side and run.name in comparison.used] for side in Side}
    forced = [
        f"{who} {be} used anyway (--force): {doubt}"
        for who, be, doubt in told_once((run.name, run.doubt) for run in runs if run.doubt and force)
    ]
    warnings = [
        *comparison.warnings,
        *differences,
        *forced,
        *_unrecorded(runs),
        *_rates_apart(used[Side.BASELINE], used[Side.CANDIDATE]),
    ]
    judged = [each.metric for each in quantiles(figures, gate.judged)[0]]
    metrics = tuple(dict.fromkeys([*judged, *metrics_of(figures)]))[:MAX_CURVES]
    return ComparisonReport(
        comparison=comparison,
        names=_side_names(runs, names),
        runs=runs,
        metrics=metrics,
        curves=_curves(metrics, comparison, used),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _refusal(differences: Sequence[str]) -> str:
    """The first difference in full, and what else differs."""
    first, *others = differences
    more = [each.split(":", 1)[0].removeprefix("the runs differ in ") for each in others]
    return f"{first}; they also differ in {listed(more)}" if more else first


def _check_judged(figures: Sequence[RunFigures], gate: Gate) -> None:
    known = sorted({printable(name) for run in figures for name in run.requests & run.outcomes.keys()})
    known += [name for name in ("open", "login", "delivery") if any(name in run.outcomes for run in figures)]
    for unknown in quantiles(figures, gate.judged)[1]:
        near = get_close_matches(unknown.name.rpartition(".p")[0] or unknown.name, known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"--judge {unknown.name!r}: {meant}The runs have {listed(known[:10]) or 'nothing to judge'}: "
            f"name one of these, or a percentile such as {(near or known or ['message'])[0]}.p99"
        )


def _side_names(runs: Sequence[ComparedRun], given: tuple[str, str] | None) -> dict[Side, str]:
    if given is not None:
        return {side: printable(name) for side, name in zip(Side, given, strict=True)}
    found = {
        side: printable(", ".join(dict.fromkeys(run.info.build for run in runs if run.side is side)))
        for side in Side
    }
    short = all(len(name) <= _LONGEST_NAME for name in found.values())
    return found if short and len(set(found.values())) == len(found) else {side: side.letter for side in Side}


def _unrecorded(runs: Sequence[ComparedRun]) -> list[str]:
    without = [run.name for run in runs if not has_workload(run.info)]
    if not without or len(without) == len(runs):
        return []
    return [f"{without[0]} has no record of its workload, so it can't be checked that all runs had the same"]


def _rates_apart(baseline: Sequence[ComparedRun], candidate: Sequence[ComparedRun]) -> list[str]:
    if not (baseline and candidate):
        return []
    a, b = (median(run.sent_rate for run in side) for side in (baseline, candidate))
    if abs(a - b) <= RATES_APART * max(a, b):
        return []
    return [
        f"the load differed: A was sent {rate(a)} messages per second, B {rate(b)}. A closed workload sends less "
        "to a slower server: fix the rate with --ws-rate or constant_rate"
    ]


def _curves(
    metrics: Sequence[str], comparison: Comparison, used: Mapping[Side, Sequence[ComparedRun]]
) -> dict[str, tuple[CurvePoint, ...]]:
    found = {}
    for metric in metrics:
        # The order in which they were made is also the order of the pairs.
        sides = [[run.figures.outcomes.get(metric) for run in used[side]] for side in Side]
        a, b = ([each for each in side if each is not None] for side in sides)
        if a and b and len(a) + len(b) == sum(map(len, sides)):
            found[metric] = ratio_curve(a, b, basis=comparison.basis, alpha=comparison.gate.alpha)
    return {metric: curve for metric, curve in found.items() if curve}
