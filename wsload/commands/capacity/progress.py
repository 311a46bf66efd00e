"""What the user is told: the plan before the first step, then progress, as a bar in a terminal or a line per step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import IO

from rich.progress import TextColumn

from wsload.commands.capacity.judging import load_of
from wsload.commands.capacity.plan import STEP_OVERHEAD_S, CapacityPlan, Search, Turn
from wsload.commands.harness.pinning import Pinning, available
from wsload.commands.harness.progress import RunsDisplay
from wsload.judge.capacity.search import Outcome, State, look
from wsload.judge.capacity.step import StepFigures
from wsload.report.capacity.sentences import shown
from wsload.words import build_name, listed, milliseconds, percent, span


def forecast(plan: CapacityPlan) -> Iterator[str]:
    """The plan in a few lines."""
    for side in plan.sides:
        build = plan.build(side)
        where = build.command or build.url
        yield f"{build_name(side.letter, build.name)}: {where}" if plan.b else where
    search = plan.search
    steps = search.most_steps * len(plan.sides)
    each_s = plan.run_time_of(search.low) + STEP_OVERHEAD_S
    yield (
        f"The highest load between {shown(search.low, search)} and {shown(search.high, search)} at which "
        f"{listed(plan.checks)} hold{'s' if len(plan.checks) == 1 else ''}, to ±{percent(search.precision)}"
    )
    yield (
        f"{load_of(plan)}; at most {steps} steps, about {span(steps * each_s)}; up to twice as many if some "
        "say nothing about the server"
    )
    yield from Pinning(plan.pin, available(), at_once=False).for_people()


class ProgressDisplay(RunsDisplay):
    """The `wsload.commands.capacity.conduct.SearchListener` that writes to standard error."""

    def __init__(
        self, plan: CapacityPlan, *, file: IO[str] | None = None, terminal: bool | None = None
    ) -> None:
        """``file`` replaces standard error; ``terminal`` says whether it is one, None finds out."""
        steps = plan.search.most_steps * len(plan.sides)
        left = TextColumn("{task.fields[left]}", markup=False, style="dim")
        super().__init__(left, runs=steps, file=file, terminal=terminal, left="")

    def step(self, search: Search, turn: Turn, doing: str) -> None:
        """See `wsload.commands.capacity.conduct.SearchListener`."""
        at = shown(turn.rate, search.plan.search)
        self._bar.update(
            self._task,
            completed=search.made,
            description=f"step {search.made + 1}{_side(search, turn)}, {at}: {doing}",
            left=_left(search),
        )

    def made(self, search: Search, turn: Turn, figures: StepFigures) -> None:
        """See `wsload.commands.capacity.conduct.SearchListener`."""
        plan = search.plan.search
        text = f"step {search.made}{_side(search, turn)}, {shown(turn.rate, plan)}: {figures.outcome}"
        if figures.reason:
            text += f": {figures.reason}"
        elif figures.p99_ns is not None:
            text += f": p99 {milliseconds(figures.p99_ns)}"
        found = look(plan, [step.step for step in search.of(turn.side)])
        if found.state is State.SEARCHING:
            text += f"; {_by_now(search, turn)}"
            if not self._console.is_terminal:
                text += f"; {_left(search)}"
        self._say(text, style="" if figures.outcome.counts else "yellow")


def _by_now(search: Search, turn: Turn) -> str:
    """Between what the capacity lies by now; while nothing failed, above what."""
    plan, steps = search.plan.search, search.of(turn.side)
    found = look(plan, [step.step for step in steps])
    if any(step.outcome is Outcome.FAILS for step in steps):
        low, high = max(found.low, plan.low), min(found.high, plan.high)
        return f"the capacity is between {shown(low, plan)} and {shown(high, plan)}"
    held = max((step.rate for step in steps if step.outcome is Outcome.HOLDS), default=None)
    return "nothing is known yet" if held is None else f"the capacity is above {shown(held, plan)}"


def _left(search: Search) -> str:
    return f"at most about {span(math.ceil(max(search.left_s(), 1.0)))} left"


def _side(search: Search, turn: Turn) -> str:
    return (
        f" ({build_name(turn.letter, search.plan.build(turn.side).name)})"
        if search.plan.b is not None
        else ""
    )
