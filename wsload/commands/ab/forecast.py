"""What an experiment will take and can find, told before its first run. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from wsload.commands.ab.plan import Plan, called, order
from wsload.judge.compare.power import PAIR_DEVIATION, expected, pairs_for_power, power_of
from wsload.words import counted, percent, span

_SHOWN = 6


def forecast(plan: Plan) -> Iterator[str]:
    """The plan in a few lines."""
    runs = 2 * plan.pairs
    letters = " ".join(slot.letter for slot in order(plan.pairs)[:_SHOWN])
    more = " …" if runs > _SHOWN else ""
    for letter, build in (("A", plan.a), ("B", plan.b)):
        yield f"{called(letter, build)}: {build.command or build.url}"
    warm_up = f", after {span(plan.warm_up_s)} of warm-up" if plan.warm_up_s else ""
    yield (
        f"{plan.pairs} pairs of runs, {letters}{more}: {span(plan.run_time_s)} each{warm_up}, "
        f"{counted(plan.users, 'user')}; about {span(runs * plan.slot_s)} in all"
    )
    if plan.stop_early:
        yield "Stops before that when the verdict is clear (--stop-early)"


def power_lines(plan: Plan, effect: float) -> Iterator[str]:
    """How many pairs it takes to find a slow-down of ``effect``, and what the planned ones can find.

    Raises `UsageError` for an effect that the gate can't find.
    """
    gate = replace(plan.gate, alpha=plan.looks.last * plan.gate.alpha)
    statistics = expected(gate)
    needed = pairs_for_power(effect, gate)
    chance = power_of(effect, plan.pairs, gate)
    seconds = 2 * needed * plan.slot_s
    yield (
        f"To find a slow-down of {percent(effect)} in 4 of 5 experiments takes {counted(needed, 'pair')}, "
        f"about {span(seconds)}; the {plan.pairs} planned find it in {math.floor(100 * chance)} of 100"
    )
    yield (
        f"That is where a pair's ratio scatters by {percent(PAIR_DEVIATION)}, as on a busy machine, and "
        f"{counted(statistics, 'statistic is', 'statistics are')} judged together"
        + (
            ": fewer pairs do on a quiet one"
            if statistics == 1
            else ": fewer pairs do on a quiet one, or with --judge"
        )
    )
