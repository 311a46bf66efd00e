"""The plan of a search: one build or two, the load, and what is searched. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from wsload.commands.harness.builds import Build, check_options
from wsload.commands.harness.pinning import check_pin
from wsload.errors import UsageError
from wsload.judge.capacity.search import SearchPlan, look
from wsload.judge.capacity.step import LONGER, StepFigures, length_s
from wsload.judge.compare.pairs import Side
from wsload.judge.run.grammar import parse_check

STEP_OVERHEAD_S: Final = 6.0
"""About how long a step takes besides its load. Only for forecasts."""
MORE_OURS: Final = ("--ws-rate", "--ws-check", "--ws-checks", "--ws-warm-up", "--ws-profile")
MAX_USERS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityPlan:
    """A search, fixed before its first step. It is stored as it is, and holds no secrets."""

    a: Build
    b: Build | None = None
    """The candidate; None where only one build is searched."""
    locustfile: str
    checks: tuple[str, ...]
    search: SearchPlan
    users: int = 50
    """Where a rate is searched."""
    rate_per_user: float = 0.0
    """Where a number of users is searched: requests a second of each; 0 for each user's own wait_time."""
    poisson: bool = False
    """Whether requests come at random."""
    run_time_s: float = 10.0
    """What is measured of each step."""
    warm_up_s: float = 2.0
    """What is left out before it, after the ramp."""
    ramp_s: float = 1.0
    """Within which all users are started."""
    pin: str = ""
    """Which cores are whose (`wsload.commands.harness.pinning`); empty for any."""
    ready_timeout_s: float = 30.0
    options: tuple[str, ...] = ()
    directory: str = ""
    """Where commands and Locust are run. Empty for the current directory."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("--users", self.users, 1, MAX_USERS),
            ("--run-time", self.run_time_s, 1, 3_600),
            ("--warm-up", self.warm_up_s, 0, 600),
            ("--ramp", self.ramp_s, 1, 600),
            ("--ready-timeout", self.ready_timeout_s, 0.1, 3_600),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} {value:g}: from {least:g} to {most:g} is allowed")
        if not self.checks:
            raise UsageError("--check is missing: what has to hold, such as --check 'message.p99 < 50ms'")
        for check in self.checks:
            parse_check(check)
        check_pin(self.pin, {"A": self.a} | ({"B": self.b} if self.b else {}))
        if self.b is not None and self.a.name == self.b.name:
            raise UsageError(f"both builds are called {self.a.name!r}: name them with --a-name and --b-name")
        check_options(self.options, command="wsload capacity", kept="capacity.json", more=MORE_OURS)

    @property
    def unit(self) -> str:
        """Behind a rate: ``/s``, or `` users``."""
        return " users" if self.search.whole else "/s"

    @property
    def sides(self) -> tuple[Side, ...]:
        return (Side.BASELINE,) if self.b is None else (Side.BASELINE, Side.CANDIDATE)

    def build(self, side: Side) -> Build:
        return self.a if side is Side.BASELINE or self.b is None else self.b

    def per_second(self, rate: float) -> float:
        """Requests offered a second; 0 where that is up to the users."""
        return rate * self.rate_per_user if self.search.whole else rate

    def measured_s(self, rate: float) -> float:
        """How long a step is measured: longer than planned where its checks need more values."""
        per_second = self.per_second(rate)
        if not per_second:
            return self.run_time_s
        return length_s(map(parse_check, self.checks), per_second, self.run_time_s)

    def load(self, rate: float) -> StepLoad:
        """The load of a step."""
        users = round(rate) if self.search.whole else self.users
        options = [f"--ws-warm-up={self.ramp_s + self.warm_up_s:g}s"]
        if per_second := self.per_second(rate):
            options.append(f"--ws-rate={'poisson:' if self.poisson else ''}{per_second:.10g}")
        options += [f"--ws-check={check}" for check in self.checks]
        return StepLoad(
            locustfile=self.locustfile,
            users=users,
            spawn_rate=max(users / self.ramp_s, 1.0),
            options=(*options, *self.options),
        )

    def run_time_of(self, rate: float, enough_s: float = 0.0) -> float:
        """How long the step's Locust run is, in whole seconds.

        ``enough_s`` is how long it takes to get the values that its checks need, if an earlier step shows that.
        """
        enough_s = min(enough_s, LONGER * self.run_time_s)
        return math.ceil(self.ramp_s + self.warm_up_s + max(self.measured_s(rate), enough_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLoad:
    """The load of one step: a `wsload.commands.harness.load.LoadPlan`."""

    locustfile: str
    users: int
    spawn_rate: float
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The next step to make."""

    side: Side
    number: int
    """Of its round, from 1."""
    rate: float

    @property
    def letter(self) -> str:
        return self.side.letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A plan, and the steps made so far."""

    plan: CapacityPlan
    created_at: float
    """Wall clock, seconds since the epoch."""
    steps: dict[Side, tuple[StepFigures, ...]] = field(default_factory=dict)

    def of(self, side: Side) -> tuple[StepFigures, ...]:
        """The steps of a side."""
        return self.steps.get(side, ())

    def with_step(self, side: Side, step: StepFigures) -> Search:
        """The search with one more step."""
        return Search(
            plan=self.plan, created_at=self.created_at, steps=self.steps | {side: (*self.of(side), step)}
        )

    @property
    def made(self) -> int:
        return sum(map(len, self.steps.values()))

    def run_time_of(self, turn: Turn) -> float:
        """How long a step's Locust run is, in whole seconds: longer if the one nearest to it had too few values."""
        few = [step for step in self.of(turn.side) if step.enough_s]
        nearest = min(few, key=lambda step: abs(math.log(step.rate / turn.rate)), default=None)
        enough_s = 0.0 if nearest is None else nearest.enough_s * nearest.rate / turn.rate
        return self.plan.run_time_of(turn.rate, enough_s)

    def turn(self) -> Turn | None:
        """The next step: in rounds of one of each side that has not ended, A B, B A, …; None at the end."""
        latest = max((step.number for side in self.plan.sides for step in self.of(side)), default=1)
        for number in (latest, latest + 1):
            sides: Sequence[Side] = self.plan.sides if number % 2 else self.plan.sides[::-1]
            for side in sides:
                if any(step.number == number for step in self.of(side)):
                    continue
                rate = look(self.plan.search, [step.step for step in self.of(side)]).next_rate
                if rate is not None:
                    return Turn(side=side, number=number, rate=rate)
        return None

    def left_s(self) -> float:
        """About how long the remaining steps take at most, judging by those made so far."""
        took = [step.took_s for steps in self.steps.values() for step in steps]
        plan = self.plan
        each_s = sum(took) / len(took) if took else plan.run_time_of(plan.search.low) + STEP_OVERHEAD_S
        return each_s * sum(map(self._left, plan.sides))

    def _left(self, side: Side) -> float:
        """How many steps remain, if as many as so far say nothing about the server."""
        steps, search = self.of(side), self.plan.search
        if look(search, [step.step for step in steps]).next_rate is None:
            return 0
        counted = sum(step.outcome.counts for step in steps)
        each = len(steps) / max(counted, 1) if steps else 1.0
        return min((search.most_steps - counted) * each, search.most_made - len(steps))
