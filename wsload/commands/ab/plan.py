"""The plan of an experiment: two builds, the load, and the order of the runs. Pure.

The order is A B B A A B B A…, so that a machine that steadily warms up, or slows down, affects both builds equally.
Every run gets a server of its own, unless the server is already running. Side by side, the order is that in which the
two of a pair are started, and some pairs are for calibration: both of their runs are made with A.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from wsload.commands.harness.builds import Build, check_options
from wsload.commands.harness.pinning import check_pin
from wsload.errors import UsageError
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.sequential import EARLY_SHARE, LookPlan
from wsload.judge.compare.verdict import Gate

RUN_OVERHEAD_S: Final = 2.5
"""About how long a run takes besides its load: server, Locust and the last answers. Only for forecasts."""
WARM_UP_OVERHEAD_S: Final = 1.5
MAX_PAIRS: Final = 200
_PROCESSES: Final = re.compile(r"--(processes|expect-workers)(=|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A run's position in the order."""

    number: int
    """From 1; of a calibration's runs, that of the run made before them."""
    pair: int
    """From 1; two slots each."""
    side: Side
    calibrates: bool = False
    """Whether it is made with A on either side."""

    @property
    def letter(self) -> str:
        return self.side.letter


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """An experiment, fixed before its first run. It is stored as it is, and holds no secrets."""

    a: Build
    """The baseline."""
    b: Build
    """The candidate."""
    locustfile: str
    users: int
    spawn_rate: float
    """Users per second."""
    run_time_s: float
    """Of each measured run, including its ramp."""
    warm_up_s: float = 5.0
    """Of the discarded run before it, against the same server; 0 for none."""
    pairs: int = 10
    repeats: int = 2
    """How often to repeat a run that is not valid."""
    side_by_side: bool = False
    """Whether both runs of a pair are made at the same time, against a server each."""
    calibrations: int = 0
    """Pairs of A and A besides the others, spread over the experiment; only side by side."""
    pin: str = ""
    """Which cores are whose (`wsload.commands.harness.pinning`); empty for any."""
    stop_early: bool = False
    """Whether to stop after any pair once the verdict is clear."""
    ready_timeout_s: float = 30.0
    """How long a server may take to answer a handshake."""
    options: tuple[str, ...] = ()
    """Further options for Locust, the same in all runs."""
    gate: Gate = field(default_factory=Gate)
    directory: str = ""
    """Where commands, git and Locust are run: where the experiment was started. Empty for the current directory."""

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("--users", self.users, 1, 1_000_000),
            ("--spawn-rate", self.spawn_rate, 0.01, 1_000_000),
            ("--run-time", self.run_time_s, 1, 86_400),
            ("--warm-up", self.warm_up_s, 0, 3_600),
            ("--pairs", self.pairs, 2, MAX_PAIRS),
            ("--calibrate", self.calibrations, 0, MAX_PAIRS),
            ("--repeat", self.repeats, 0, 10),
            ("--ready-timeout", self.ready_timeout_s, 0.1, 3_600),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} {value:g}: must be from {least:g} to {most:,}")
        if self.a.name == self.b.name:
            raise UsageError(f"both builds are called {self.a.name!r}: name them with --a-name and --b-name")
        check_pin(self.pin, {"A": self.a, "B": self.b})
        check_options(self.options)
        if self.side_by_side and (option := next(filter(_PROCESSES.match, self.options), "")):
            raise UsageError(f"{option} needs --one-at-a-time: side by side, one process loads both builds")
        if self.calibrations and not self.side_by_side:
            raise UsageError("--calibrate works only side by side: leave it out, or add --side-by-side")

    def build(self, side: Side) -> Build:
        return self.a if side is Side.BASELINE else self.b

    def build_in(self, slot: Slot) -> Build:
        """What runs there; on the second side of a calibration that is A too, under another name."""
        if slot.calibrates and slot.side is Side.CANDIDATE:
            return replace(self.a, name=f"{self.a.name} again")
        return self.build(slot.side)

    @property
    def looks(self) -> LookPlan:
        """How often its figures may be looked at, and with which share of alpha."""
        return LookPlan(pairs=self.pairs, early_share=EARLY_SHARE if self.stop_early else 0.0)

    @property
    def slot_s(self) -> float:
        """About how long one run takes, with everything around it."""
        warm_up_s = self.warm_up_s + WARM_UP_OVERHEAD_S if self.warm_up_s else 0.0
        return self.run_time_s + RUN_OVERHEAD_S + warm_up_s

    @property
    def pair_s(self) -> float:
        """About how long the two runs of a pair take."""
        return self.slot_s * (1 if self.side_by_side else 2)

    @property
    def whole_s(self) -> float:
        """About how long all runs take."""
        return (self.pairs + self.calibrations) * self.pair_s


def order(pairs: int) -> tuple[Slot, ...]:
    """A B, B A, A B, … for this many pairs."""
    sides = (Side.BASELINE, Side.CANDIDATE)
    return tuple(
        Slot(number=2 * pair + place + 1, pair=pair + 1, side=sides[(place + pair) % 2])
        for pair in range(pairs)
        for place in (0, 1)
    )


def calibration_slots(number: int, after: int) -> tuple[Slot, Slot]:
    """The two slots of the ``number``-th calibration, from 0, made after so many pairs."""
    sides = (Side.BASELINE, Side.CANDIDATE)
    first, second = (
        Slot(number=2 * after, pair=number + 1, side=sides[(place + number) % 2], calibrates=True)
        for place in (0, 1)
    )
    return first, second


def fit_together(a: Build, b: Build, options: Sequence[str]) -> bool:
    """Whether both builds can be loaded at the same time: not two servers that run on the same host already, and
    not by several processes.
    """
    hosts = [urlsplit(build.url).hostname for build in (a, b) if not build.command]
    return len(set(hosts)) == len(hosts) and not any(map(_PROCESSES.match, options))
