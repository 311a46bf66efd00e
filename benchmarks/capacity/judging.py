"""Searches of simulated servers by the rules that search real ones, and how they came out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.capacity.worlds import HIGH, LOW, Server, World
from wsload.judge.capacity.comparison import CapacityComparison, CapacityVerdict, contrast
from wsload.judge.capacity.search import Outcome, SearchPlan, SearchStatus, State, Step, look

PLAN: Final = SearchPlan(low=LOW, high=HIGH)
SERVERS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How the searches of many servers of a kind came out."""

    covered: float
    """Share of the searches whose interval has the capacity in it, as it was at the end."""
    precise: float
    """Share that came to the precision asked for."""
    steps: float
    """In the middle."""
    most_steps: int
    within: float
    """Share whose estimate lies within the precision."""
    width: float
    """In the middle, half of the interval as a share of the capacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrasted:
    """How comparisons of two servers of a kind came out, as shares."""

    less: float
    more: float
    not_less: float
    covered: float
    """The interval has the ratio in it."""


def answer(server: Server, rate: float, number: int) -> Step:
    """A step of the search."""
    return Step(rate=rate, outcome=Outcome.HOLDS if server.step(rate) else Outcome.FAILS, number=number)


def search(server: Server, plan: SearchPlan = PLAN) -> tuple[list[Step], SearchStatus]:
    """All steps of a search, and what it found."""
    steps: list[Step] = []
    found = look(plan, steps)
    while found.next_rate is not None:
        if steps:
            server.drifts()
        steps.append(answer(server, found.next_rate, len(steps) + 1))
        found = look(plan, steps)
    return steps, found


def searched(world: World, servers: int = SERVERS, seed: int = 11) -> Searched:
    """Searches so many servers of a kind."""
    rng = np.random.default_rng(seed)
    covered, precise, numbers, within, widths = 0, 0, [], 0, []
    for _ in range(servers):
        server = Server(world, rng)
        steps, found = search(server)
        covered += found.low <= server.capacity <= found.high
        precise += found.state is State.FOUND
        within += abs(math.log(found.estimate / server.capacity)) <= math.log1p(PLAN.precision)
        numbers.append(len(steps))
        widths.append(math.sqrt(found.high / found.low) - 1)
    return Searched(
        covered=covered / servers,
        precise=precise / servers,
        steps=float(np.median(numbers)),
        most_steps=max(numbers),
        within=within / servers,
        width=float(np.median(widths)),
    )


def compare(a: Server, b: Server, plan: SearchPlan = PLAN) -> CapacityComparison:
    """Both searches, a step of each in turn: A B, B A, …."""
    sides: tuple[list[Step], list[Step]] = ([], [])
    number = 0
    while True:
        number += 1
        rates = [look(plan, side).next_rate for side in sides]
        if rates == [None, None]:
            return contrast(plan, *sides)
        for side, rate, server in zip(sides, rates, (a, b), strict=True):
            if rate is not None:
                side.append(answer(server, rate, number))
            server.drifts()


def contrasted(world: World, less: float, servers: int = SERVERS, seed: int = 12) -> Contrasted:
    """Compares so many pairs of servers, of which B holds less by this share; drift is common to both."""
    rng = np.random.default_rng(seed)
    verdicts, covered = [], 0
    for _ in range(servers):
        a = Server(world, rng)
        drift = float(rng.choice((-1, 1))) * world.drift
        a = Server(world, rng, capacity=a.capacity, drift=drift)
        b = Server(world, rng, capacity=max(a.capacity * (1 - less), LOW), drift=drift)
        truth = b.capacity / a.capacity
        found = compare(a, b)
        verdicts.append(found.verdict)
        covered += found.low <= truth <= found.high
    return Contrasted(
        less=verdicts.count(CapacityVerdict.LESS) / servers,
        more=verdicts.count(CapacityVerdict.MORE) / servers,
        not_less=verdicts.count(CapacityVerdict.NOT_LESS) / servers,
        covered=covered / servers,
    )
