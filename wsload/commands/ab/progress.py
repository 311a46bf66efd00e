"""How far the experiment is: a bar with the time left on a terminal, a line a run anywhere else."""

from __future__ import annotations

import math
import sys
import time
from typing import IO, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from wsload.commands.ab.conduct import Summary
from wsload.commands.ab.experiment import Experiment, Outcome
from wsload.commands.ab.plan import Slot, called
from wsload.words import milliseconds, span

_REFRESHES = 2
"""A second: the load generator shares the machine."""


def left_s(experiment: Experiment) -> float:
    """About how long the runs that are left will take, by those that were made."""
    took = [outcome.took_s for outcome in experiment.done]
    each_s = sum(took) / len(took) if took else experiment.plan.slot_s
    return each_s * len(experiment.left)


class _Left(ProgressColumn):
    """Counts down between the steps."""

    def render(self, task: Task) -> Text:
        left = float(task.fields["left_s"]) - (time.monotonic() - float(task.fields["since_s"]))
        return Text(f"about {span(math.ceil(max(left, 1.0)))} left", style="dim")


class Shown:
    """The follower of `wsload.commands.ab.conduct.Conductor` that writes to standard error."""

    def __init__(self, runs: int, *, file: IO[str] | None = None, terminal: bool | None = None) -> None:
        """``file`` instead of standard error; ``terminal`` says what it is, None to find out."""
        self._runs = runs
        self._console = Console(
            file=file or sys.stderr, force_terminal=terminal, highlight=False, markup=False, emoji=False
        )
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.completed} of {task.total} runs", markup=False),
            _Left(),
            console=self._console,
            refresh_per_second=_REFRESHES,
            transient=True,
            disable=not self._console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task("", total=runs, left_s=0.0, since_s=time.monotonic())
        self._number = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, experiment: Experiment, slot: Slot, doing: str) -> None:
        """See `wsload.commands.ab.conduct.Follower`."""
        build = experiment.plan.build(slot.side)
        about = f"run {slot.number}, {called(slot.letter, build)}: {doing}"
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
        """See `wsload.commands.ab.conduct.Follower`."""
        build = experiment.plan.build(slot.side)
        self._say(f"run {slot.number}, {called(slot.letter, build)}, is made again: {reason}", style="yellow")

    def made(self, experiment: Experiment, slot: Slot, outcome: Outcome, summary: Summary) -> None:
        """See `wsload.commands.ab.conduct.Follower`."""
        build = experiment.plan.build(slot.side)
        text = f"run {slot.number} of {self._runs}, {called(slot.letter, build)}"
        names, metrics = summary.get("names", {}), summary.get("metrics", {})
        if name := next((name for name in (*names, "message", "open") if name in metrics), ""):
            found = metrics[name]
            text += f": {name} p50 {milliseconds(found['p50_ns'])}, p99 {milliseconds(found['p99_ns'])}"
        if not outcome.valid:
            text += "; not valid, its pair does not count"
        if experiment.left and self._bar.disable:
            text += f"; about {span(math.ceil(left_s(experiment)))} left"
        self._say(text, style="" if outcome.valid else "yellow")

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)
