"""What must hold of a soak: nothing grows, and the two accounts agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

MAX_GROWTH: Final = 0.01
"""Of the memory, from when the run has settled to its end."""
MAX_DESCRIPTORS: Final = 2
"""By so many the medians may differ: connections come and go all the time."""
STRETCH_S: Final = 600.0
"""Medians are taken over so long, after settling and at the end: within minutes memory varies by some percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the load generator's process had at one time."""

    at_s: float
    """Since its start."""
    memory: int
    """Resident bytes."""
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that must hold, with its figures."""

    what: str
    figures: str
    holds: bool


def growth(samples: Sequence[Sample], settled_s: float) -> list[Finding]:
    """Of memory, descriptors and threads, between when the run had settled and its end."""
    late = [sample for sample in samples if sample.at_s >= settled_s]
    if len(late) < 4:
        return [Finding(what="memory, descriptors, threads", figures="too short a time to say", holds=False)]
    stretch = min(STRETCH_S, (late[-1].at_s - late[0].at_s) / 2)
    first = [sample for sample in late if sample.at_s <= late[0].at_s + stretch]
    last = [sample for sample in late if sample.at_s >= late[-1].at_s - stretch]

    def both(of: Callable[[Sample], int]) -> tuple[float, float]:
        return median(map(of, first)), median(map(of, last))

    memory, descriptors, threads = (
        both(lambda sample: sample.memory),
        both(lambda sample: sample.descriptors),
        both(lambda sample: sample.threads),
    )
    grown = memory[1] / memory[0] - 1
    return [
        Finding(
            what="memory",
            figures=f"{memory[0] / 1e6:.1f} MB, then {memory[1] / 1e6:.1f} MB ({grown:+.2%})",
            holds=grown <= MAX_GROWTH,
        ),
        Finding(
            what="descriptors",
            figures=f"{descriptors[0]:g}, then {descriptors[1]:g}",
            holds=abs(descriptors[1] - descriptors[0]) <= MAX_DESCRIPTORS,
        ),
        Finding(
            what="threads", figures=f"{threads[0]:g}, then {threads[1]:g}", holds=threads[0] == threads[1]
        ),
    ]


def accounts(summary: Mapping[str, Any], server: Mapping[str, int], rate: float) -> list[Finding]:
    """Whether wsload counted what the server did."""
    counters, metrics = summary["counters"], summary["metrics"]
    sent, lost, late = (int(counters.get(name, 0)) for name in ("requests", "lost", "late"))
    answered = int(metrics["ask"]["count"])
    received, told = server.get("received", 0), server.get("answered", 0)
    swallowed = sent - received
    opens, refused = int(counters.get("opens", 0)), int(summary["failures"].get("open: bad status 503", 0))
    achieved = sent / float(summary["duration_s"])
    return [
        Finding(
            what="answers",
            figures=f"{answered:,} and {late:,} late; the server gave {told:,}",
            holds=answered + late == told > 0,
        ),
        Finding(
            what="lost",
            figures=f"{lost:,}; the server dropped {server.get('dropped', 0):,}, "
            f"closed connections swallowed {swallowed:,}",
            holds=sent == answered + lost
            and lost == server.get("dropped", 0) + swallowed + late
            and 0 <= swallowed <= int(counters.get("reconnects", 0)) + server.get("closed", 0),
        ),
        Finding(
            what="openings",
            figures=f"{opens:,} and {refused:,} refused; the server took {server.get('opened', 0):,} and refused "
            f"{server.get('refused', 0):,}",
            holds=(opens, refused) == (server.get("opened", 0), server.get("refused", 0)),
        ),
        Finding(what="rate", figures=f"{achieved:,.0f}/s of {rate:,.0f}/s", holds=achieved >= 0.9 * rate),
    ]
