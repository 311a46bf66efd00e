"""What the selftest runs: faults ordered of the server, and the load that meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from wsload.analysis.truth import Stalls

MESSAGE_TIMEOUT_S: Final = 3
DRAIN_MS: Final = 400
LINGER_S: Final = 2.0
"""All for the run in which posts are lost and held back: its users stay for longer than the server
holds a post that is to be reordered, and some of the lost time out while others are still young."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One run of a few seconds."""

    name: str
    """For people, and unique."""
    faults: tuple[str, ...]
    """For ``wsload serve --fault``."""
    rate: float
    """Posts a second, all users together."""
    seconds: int
    """Of the run; posting begins a little later."""
    poisson: bool = False
    """Whether posts are due at random."""
    users: int = 1
    """More than one adds deliveries, which the server has to make too."""
    stalls: Stalls | None = None
    """The stalls among the faults."""
    judged: Literal["stalls", "delays", "pipeline", "counts"]
    """What of it is held against the truth, besides the counts, which always are."""
    user_class: str = "Poster"
    """Of the selftest's locustfile."""
    options: tuple[str, ...] = ()
    """Further options of the run."""
    quick: bool = False
    """Whether ``wsload selftest --quick`` runs it."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """For ``locust``: who, how many, how often."""
        users = str(self.users)
        rate = f"{'poisson:' if self.poisson else ''}{self.rate:g}"
        return (self.user_class, "-u", users, "-r", users, "--ws-rate", rate, *self.options)


def _stalling(stall_ms: int, period_ms: int, rate: float, seconds: int, *, poisson: bool) -> Setting:
    return Setting(
        name=f"stall {stall_ms}/{period_ms} ms, {rate:,.0f}/s {'Poisson' if poisson else 'constant'}",
        faults=(f"stall={stall_ms}ms/{period_ms}ms",),
        rate=rate,
        seconds=seconds,
        poisson=poisson,
        judged="stalls",
        stalls=Stalls(stall_ns=stall_ms * 1_000_000, period_ns=period_ms * 1_000_000),
        quick=rate == 1_000 and not poisson,
    )


SETTINGS: Final = (
    *(_stalling(200, 2_000, 1_000, 9, poisson=poisson) for poisson in (False, True)),
    *(_stalling(400, 1_600, 500, 7, poisson=poisson) for poisson in (False, True)),
    *(_stalling(250, 1_250, 2_000, 7, poisson=poisson) for poisson in (False, True)),
    Setting(
        name="delay 50 ms, 100/s pipelined", faults=("delay=50ms",), rate=100, seconds=5, judged="pipeline"
    ),
    Setting(
        name="delay exponential, mean 5 ms, 500/s",
        faults=("delay=exp:5ms",),
        rate=500,
        seconds=7,
        judged="delays",
        quick=True,
    ),
    Setting(
        name="lost, twice, out of order, garbled",
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
