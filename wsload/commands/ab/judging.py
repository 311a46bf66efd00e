"""The comparison of an experiment's runs, by the plan's own gate and stopping rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from wsload.commands.ab.experiment import Experiment, StopReason
from wsload.judge.compare.compare import Comparison
from wsload.judge.compare.pairs import RunFigures, Side
from wsload.judge.compare.sequential import look
from wsload.judge.compare.verdict import Gate
from wsload.report.comparison.comparison import ComparisonReport, make_report
from wsload.report.comparison.runs import read_runs
from wsload.results.window import Window


def report_of(
    path: Path,
    experiment: Experiment,
    *,
    gate: Gate | None = None,
    force: bool = False,
    window: Window | None = None,
) -> ComparisonReport:
    """The comparison of an experiment, complete or not; ``gate`` replaces the plan's, ``window`` the runs'.

    Raises `UsageError` when a side has no run yet, `ResultsError` for runs that can't be read.
    """
    plan = experiment.plan
    baseline, candidate = (_paths(path, experiment, side) for side in Side)

    def judge(runs: Sequence[RunFigures]) -> Comparison:
        # If the rule stopped it, its level is that of an interim look; otherwise this is a stage's last look.
        found = look(runs, plan.looks, gate or plan.gate, last=experiment.ended is not StopReason.EARLY)
        assert found.comparison is not None
        return found.comparison

    report = make_report(
        baseline,
        candidate,
        gate=gate or plan.gate,
        force=force,
        mixed=True,  # it may have been resumed elsewhere, or after an upgrade, but never within a pair
        judge=judge,
        names=(plan.a.name, plan.b.name),
        stages=_stages(path, experiment),
        window=window,
    )
    more = [
        f"run {outcome.slot} ({outcome.run}) was repeated: {reason}"
        for _, outcome in experiment.runs()
        for reason in outcome.repeated
    ]
    if missing := experiment.missing():
        more.insert(0, f"the experiment is not finished: {missing}")
    return replace(report, warnings=(*report.warnings, *more))


def clear_in(path: Path) -> Callable[[Experiment], bool]:
    """A function that tells whether an experiment in this directory may stop, by its stopping rule."""

    def is_clear(experiment: Experiment) -> bool:
        sides = (_paths(path, experiment, side) for side in Side)
        runs = read_runs(*sides, stages=_stages(path, experiment))
        found = look([run.figures for run in runs], experiment.plan.looks, experiment.plan.gate)
        return found.stop and experiment.ended is None

    return is_clear


def _paths(path: Path, experiment: Experiment, wanted: Side) -> list[Path]:
    return [path / outcome.run for side, outcome in experiment.runs() if side is wanted]


def _stages(path: Path, experiment: Experiment) -> dict[Path, int]:
    return {path / outcome.run: experiment.stage(outcome.slot) for _, outcome in experiment.runs()}
