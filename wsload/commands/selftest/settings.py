"""The selftest's runs: the server's faults and the load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from wsload.commands.selftest.truth import Stalls
from wsload.words import number

MS: Final = 1_000_000
"""In ns."""

AROUND_S: Final = 2.3
"""How long it takes to start and stop a server and Locust."""
MESSAGE_TIMEOUT_S: Final = 3
DRAIN_MS: Final = 400
LINGER_S: Final = 2.0
"""These three are for the run with lost and reordered posts: its users stay for longer than the server holds a
post to be reordered, and some lost posts time out while others are still too young at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One run of a few seconds."""

    name: str
    """Shown to people; unique."""
    faults: tuple[str, ...]
    """For ``wsload serve --fault``."""
    rate: float
    """Posts per second of all users together."""
    seconds: int
    """Length of the run; posting begins a little later."""
    poisson: bool = False
    """Whether arrivals are random."""
    users: int = 1
    """More than one adds deliveries."""
    stalls: Stalls | None = None
    """The stalls among the faults."""
    judged: Literal["stalls", "delays", "pipeline", "counts"]
    """What is checked besides the counts."""
    user_class: str = "Poster"
    """Of the selftest's locustfile."""
    options: tuple[str, ...] = ()
    """Further options of the run."""
    quick: bool = False
    """Whether ``wsload selftest --quick`` runs it."""

    @property
    def duration_s(self) -> float:
        """About how long it takes, start and stop included."""
        return self.seconds + AROUND_S + (LINGER_S if self.user_class == "Lingerer" else 0)

    @property
    def arguments(self) -> tuple[str, ...]:
        """For ``locust``: the user class, the number of users, the rate."""
        users = str(self.users)
        rate = f"{'poisson:' if self.poisson else ''}{self.rate:g}"
        return (self.user_class, "-u", users, "-r", users, "--ws-rate", rate, *self.options)


def _stalling(stall: str, period: str, stalls: Stalls, rate: float, seconds: int) -> tuple[Setting, Setting]:
    """The same stalls at a constant rate, and under Poisson arrivals."""
    even, random = (
        Setting(
            name=f"stall {stall}/{period}, {'Poisson ' if poisson else ''}{number(round(rate))}/s",
            faults=(f"stall={stall}/{period}",),
            rate=rate,
            seconds=seconds,
            poisson=poisson,
            judged="stalls",
            stalls=stalls,
            quick=rate == 1_000 and not poisson,
        )
        for poisson in (False, True)
    )
    return even, random


SETTINGS: Final = (
    *_stalling("200ms", "2s", Stalls(stall_ns=200 * MS, period_ns=2_000 * MS), 1_000, 9),
    *_stalling("400ms", "1.6s", Stalls(stall_ns=400 * MS, period_ns=1_600 * MS), 500, 7),
    *_stalling("240ms", "1.2s", Stalls(stall_ns=240 * MS, period_ns=1_200 * MS), 2_000, 7),
    Setting(name="delay 50ms, 200/s", faults=("delay=50ms",), rate=200, seconds=6, judged="pipeline"),
    Setting(
        name="delay exp:5ms, 500/s",
        faults=("delay=exp:5ms",),
        rate=500,
        seconds=7,
        judged="delays",
        quick=True,
    ),
    Setting(
        name="drop, duplicate, reorder, garbage",
        faults=("drop=3%", "duplicate=3%", "reorder=3%", "garbage=3%"),
        rate=300,
        seconds=6,
        judged="counts",
        users=2,
        user_class="Lingerer",
        options=("--ws-message-timeout", f"{MESSAGE_TIMEOUT_S}s", "--ws-drain", f"{DRAIN_MS}ms"),
        quick=True,
    ),
)
