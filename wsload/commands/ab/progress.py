"""What the user is told: the plan before the first run, then progress, as a bar in a terminal or a line per run."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO

from rich.progress import ProgressColumn, Task, TextColumn
from rich.text import Text

from wsload.commands.ab.conduct import Summary
from wsload.commands.ab.experiment import Experiment, Outcome
from wsload.commands.ab.plan import ExperimentPlan, Slot, order
from wsload.commands.harness.pinning import Pinning, available
from wsload.commands.harness.progress import RunsDisplay
from wsload.judge.compare.power import (
    PAIR_DEVIATION,
    SIDE_BY_SIDE_DEVIATION,
    expected,
    pairs_for_power,
    power_of,
)
from wsload.judge.compare.selection import PERCENTILE, SHARE
from wsload.measure.keys import split_key
from wsload.words import build_name, counted, listed, milliseconds, percent, span

_MAX_NAMES = 10
_SHOWN = 6
"""Runs of the order that are listed."""


def forecast(plan: ExperimentPlan) -> Iterator[str]:
    """The plan in a few lines."""
    letters = " ".join(slot.letter for slot in order(plan.pairs)[:_SHOWN])
    more = " …" if 2 * plan.pairs > _SHOWN else ""
    for letter, build in (("A", plan.a), ("B", plan.b)):
        yield f"{build_name(letter, build.name)}: {build.command or build.url}"
    warm_up = f", after {span(plan.warm_up_s)} of warm-up" if plan.warm_up_s else ""
    how = "side by side" if plan.side_by_side else letters + more
    if plan.calibrations:
        how += f", and {counted(plan.calibrations, 'pair')} with A on both sides for calibration"
    yield (
        f"{plan.pairs} pairs of runs, {how}: {span(plan.run_time_s)} each{warm_up}, "
        f"{counted(plan.users, 'user')} a run; about {span(plan.whole_s)} in all"
    )
    yield from Pinning(plan.pin, available(), at_once=plan.side_by_side).for_people()
    if plan.stop_early:
        yield "It stops as soon as the verdict is clear (--stop-early)"


def power_lines(plan: ExperimentPlan, effect: float) -> Iterator[str]:
    """How many pairs it takes to detect a slowdown of ``effect``, and how likely the planned ones do.

    Raises `UsageError` for an effect that the gate can't find.
    """
    gate = replace(plan.gate, alpha=plan.looks.last * plan.gate.alpha)
    statistics = expected(gate)
    deviation = SIDE_BY_SIDE_DEVIATION if plan.side_by_side else PAIR_DEVIATION
    needed = pairs_for_power(effect, gate, deviation=deviation)
    chance = power_of(effect, plan.pairs, gate, deviation=deviation)
    seconds = needed * plan.pair_s
    yield (
        f"Detecting a slowdown of {percent(effect)} in 4 of 5 experiments takes {counted(needed, 'pair')}, "
        f"about {span(seconds)}; the {plan.pairs} planned ones detect it in {math.floor(100 * chance)} of 100"
    )
    like, fewer = "which is typical of a busy machine", ["on a quiet machine"]
    if plan.side_by_side:
        like = "which is typical of a very fast server on a busy machine"
        fewer.append("for a server that takes milliseconds to answer")
    if statistics > 1:
        fewer.append("with fewer statistics (--judge)")
    yield (
        f"This assumes that pairs' ratios scatter by {percent(deviation)}, {like}, and that "
        f"{counted(statistics, 'statistic is', 'statistics are')} judged. Fewer pairs are enough {listed(fewer, 'or')}"
    )


def left_s(experiment: Experiment) -> float:
    """About how long the remaining runs will take, judging by those made so far."""
    took = [outcome.took_s for outcome in experiment.done]
    each_s = sum(took) / len(took) if took else experiment.plan.pair_s / 2
    calibrations = experiment.calibrations - len(experiment.calibrated) if experiment.left else 0
    return each_s * (len(experiment.left) + 2 * calibrations)


def unknown(judged: Sequence[str], summary: Summary) -> list[str]:
    """The names to judge that the run doesn't have; reported after the first run rather than hours later."""
    failed = {split_key(key)[0] for key in summary.get("failures", {})}
    names = {*summary.get("metrics", {}), *failed}
    parts = {name: PERCENTILE.fullmatch(name) or SHARE.fullmatch(name) for name in judged}
    return [
        name for name, part in parts.items() if name not in names and not (part and part["metric"] in names)
    ]


def _which(experiment: Experiment, slot: Slot) -> str:
    """A run, for people."""
    if slot.calibrates:
        return f"calibration {slot.pair} of {experiment.calibrations}, A on both sides"
    return f"run {slot.number}, {build_name(slot.letter, experiment.plan.build_in(slot).name)}"


class _Left(ProgressColumn):
    """The time left, counting down between updates."""

    def render(self, task: Task) -> Text:
        left = float(task.fields["left_s"]) - (time.monotonic() - float(task.fields["since_s"]))
        return Text(f"about {span(math.ceil(max(left, 1.0)))} left", style="dim")


class ProgressDisplay(RunsDisplay):
    """The `wsload.commands.ab.conduct.ProgressListener` that writes to standard error."""

    def __init__(self, runs: int, *, file: IO[str] | None = None, terminal: bool | None = None) -> None:
        """``file`` replaces standard error; ``terminal`` says whether it is one, None finds out."""
        count = TextColumn("{task.completed} of {task.total} runs", markup=False)
        fields = {"left_s": 0.0, "since_s": time.monotonic()}
        super().__init__(count, _Left(), runs=runs, file=file, terminal=terminal, **fields)
        self._runs = runs
        self._number = 0

    def step(self, experiment: Experiment, slots: Sequence[Slot], doing: str) -> None:
        """See `wsload.commands.ab.conduct.ProgressListener`."""
        slot = slots[0]
        which = [slot] if slot.calibrates else slots
        about = f"{' and '.join(_which(experiment, each) for each in which)}: {doing}"
        if slot.number != self._number:
            self._number = slot.number
            self._bar.update(
                self._task,
                completed=len(experiment.done),
                left_s=left_s(experiment),
                since_s=time.monotonic(),
            )
        self._bar.update(self._task, description=about)

    def repeated(self, experiment: Experiment, slot: Slot, reason: str) -> None:
        """See `wsload.commands.ab.conduct.ProgressListener`."""
        self._say(f"{_which(experiment, slot)}, will be repeated: {reason}", style="yellow")

    def made(self, experiment: Experiment, slot: Slot, outcome: Outcome, summary: Summary) -> None:
        """See `wsload.commands.ab.conduct.ProgressListener`."""
        build = experiment.plan.build_in(slot)
        text = f"run {slot.number} of {self._runs}, {build_name(slot.letter, build.name)}"
        names, metrics = summary.get("names", {}), summary.get("metrics", {})
        if name := next((name for name in (*names, "message", "open") if name in metrics), ""):
            found = metrics[name]
            text += f": {name} p50 {milliseconds(found['p50_ns'])}, p99 {milliseconds(found['p99_ns'])}"
        if not outcome.valid:
            text += "; not valid, so its pair does not count"
        if experiment.left and not self._console.is_terminal:
            text += f"; about {span(math.ceil(left_s(experiment)))} left"
        self._say(text, style="" if outcome.valid else "yellow")
        if slot.number == 1 and (missing := unknown(experiment.plan.gate.judged, summary)):
            has = listed(sorted(summary["metrics"])[:_MAX_NAMES])
            self._say(
                f"--judge {listed(missing)}: the first run has no such name; it has {has}", style="yellow"
            )
