"""The comparison of an experiment's runs, by the plan's own gate and stopping rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Final

from wsload.commands.ab.experiment import CALIBRATION, Experiment, StopReason
from wsload.judge.compare.compare import Comparison
from wsload.judge.compare.pairs import Place, RunFigures, Side
from wsload.judge.compare.sequential import CLEAR, judged, look
from wsload.judge.compare.verdict import Gate
from wsload.report.comparison.comparison import ComparisonReport, make_report
from wsload.report.comparison.runs import ComparedRun, read_runs
from wsload.results.window import Stretch
from wsload.words import percent

CROWDED: Final = 0.8
"""Of the machine's cores: beyond it two sides at the same time compete for them."""


def report_of(
    path: Path,
    experiment: Experiment,
    *,
    gate: Gate | None = None,
    force: bool = False,
    stretch: Stretch | None = None,
) -> ComparisonReport:
    """The comparison of an experiment; ``gate`` replaces the plan's, ``stretch`` the runs' windows.

    One that has not ended shows at most that B is slower or fails more (`Comparison.so_far`).

    Raises `UsageError` when a side has no run yet, `ResultsError` for runs that can't be read.
    """
    plan = experiment.plan
    baseline, candidate = (_paths(path, experiment, side) for side in Side)
    calibration = _calibration(path, experiment, force=force, stretch=stretch)

    def judge(runs: Sequence[RunFigures]) -> Comparison:
        early = experiment.ended is StopReason.EARLY
        found = judged(runs, plan.looks, gate or plan.gate, calibration=calibration, early=early)
        return found if experiment.ended else found.so_far()

    report = make_report(
        baseline,
        candidate,
        gate=gate or plan.gate,
        force=force,
        mixed=True,  # it may have been resumed elsewhere, or after an upgrade, but never within a pair
        judge=judge,
        names=(plan.a.name, plan.b.name),
        places=_places(path, experiment),
        stretch=stretch,
    )
    more = [
        f"run {outcome.slot} ({outcome.run}) was repeated: {reason}"
        for _, outcome in experiment.runs()
        for reason in outcome.repeated
    ]
    if crowded := _crowded(report.runs) if plan.side_by_side else "":
        more.insert(0, crowded)
    if missing := experiment.missing():
        more.insert(0, f"the experiment is not finished: {missing}")
    return replace(report, warnings=(*report.warnings, *more))


def _crowded(runs: Sequence[ComparedRun]) -> str:
    """A warning where runs that were made at the same time left the machine too little room; empty where not."""
    used = [run for run in runs if run.server is not None and run.summary.duration_s]
    cores = min((found for run in runs if isinstance(found := run.info.host.get("cores"), int)), default=0)
    if not used or not cores:
        return ""
    servers = 2 * mean(run.server.cpu_share for run in used if run.server is not None)
    load = mean(run.summary.counters.get("cpu_ns", 0) / 1e9 / run.summary.duration_s for run in used)
    if (share := (servers + load) / cores) <= CROWDED:
        return ""
    return (
        f"both servers and the load generator together kept {percent(share)} of the {cores} cores busy: the sides "
        "may have slowed each other down; reduce the load, or use --one-at-a-time"
    )


def clear_in(path: Path) -> Callable[[Experiment], bool]:
    """A function that tells whether an experiment in this directory may stop, by its stopping rule."""

    def is_clear(experiment: Experiment) -> bool:
        sides = (_paths(path, experiment, side) for side in Side)
        runs = read_runs(*sides, places=_places(path, experiment))
        found = look(
            [run.figures for run in runs],
            experiment.plan.looks,
            experiment.plan.gate,
            calibration=_calibration(path, experiment),
        )
        return found is not None and found.verdict in CLEAR

    return is_clear


def _paths(path: Path, experiment: Experiment, wanted: Side) -> list[Path]:
    return [path / outcome.run for side, outcome in experiment.runs() if side is wanted]


def _calibration(
    path: Path, experiment: Experiment, *, force: bool = False, stretch: Stretch | None = None
) -> list[RunFigures]:
    """The figures of the runs of A on both sides."""
    pairs = [each for each in experiment.calibrated if each.valid or force]
    place = path / CALIBRATION
    a, b = [place / each.a for each in pairs], [place / each.b for each in pairs]
    places = {run: Place(slot=number) for side in (a, b) for number, run in enumerate(side, start=1)}
    return [run.figures for run in read_runs(a, b, force=force, places=places, stretch=stretch)]


def _places(path: Path, experiment: Experiment) -> dict[Path, Place]:
    return {
        path / outcome.run: Place(slot=outcome.slot, stage=experiment.stage(outcome.slot))
        for _, outcome in experiment.runs()
    }
