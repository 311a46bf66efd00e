"""A probe's results: those of one second, which are a line of its output, or of its whole run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from wsload.measure.histogram import Histogram, merged

_SUMS: Final = ("sent", "echoed", "lost", "late", "unsent", "opens", "failures", "kernel", "receipt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """Service times and counts; `added` adds up the parts."""

    histogram: Histogram = field(default_factory=Histogram)
    """Service times in ns, from the sending of a post to the arrival of its echo."""
    sent: int = 0
    """Posts sent."""
    echoed: int = 0
    """Posts whose echo came in time: as many as there are service times."""
    lost: int = 0
    """Posts given up: at their timeout, with their connection, or at the end."""
    late: int = 0
    """Echoes that came after their post was given up."""
    unsent: int = 0
    """Posts that were due while not logged in."""
    opens: int = 0
    """Logins completed: all but the first are reconnects."""
    failures: int = 0
    """Openings and logins that failed, and connections that were lost."""
    kernel: int = 0
    """Service times with the kernel's timestamps at both ends."""
    receipt: int = 0
    """Service times with the kernel's timestamp of the arrival only."""
    problem: str = ""
    """The last failure, in one line; empty if there was none."""
    ended: bool = False
    """Whether this is the last result; without one the probe was cut short."""

    @property
    def stamps(self) -> str:
        """The source of the timestamps, for people."""
        total = self.histogram.total
        if not total:
            return "none"
        if self.kernel == total:
            return "kernel"
        if not self.kernel and not self.receipt:
            return "user space"
        if self.receipt == total:
            return "kernel (receiving), user space (sending)"
        return f"kernel for {self.kernel} of {total}"

    def to_json(self) -> str:
        """One line, without a line break."""
        line = {name: getattr(self, name) for name in (*_SUMS, "problem", "ended")}
        histogram = self.histogram.encode().decode() if self.histogram.total else ""
        return json.dumps({**line, "overflow": self.histogram.overflow, "histogram": histogram})

    @classmethod
    def from_json(cls, line: bytes) -> ProbeResult:
        """Reads what `to_json` wrote. Raises `ValueError` for anything else."""
        found: Any = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("not a probe's line")
        try:
            histogram = Histogram.decode(found["histogram"]) if found["histogram"] else Histogram()
            histogram.overflow = int(found["overflow"])
            return cls(
                histogram=histogram,
                problem=str(found["problem"]),
                ended=bool(found["ended"]),
                **{name: int(found[name]) for name in _SUMS},
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not a probe's line ({error})") from error


def added(parts: Iterable[ProbeResult]) -> ProbeResult:
    """The sum of a probe's results, in their order."""
    parts = list(parts)
    return ProbeResult(
        histogram=merged(part.histogram for part in parts),
        problem=next((part.problem for part in reversed(parts) if part.problem), ""),
        ended=any(part.ended for part in parts),
        **{name: sum(getattr(part, name) for part in parts) for name in _SUMS},
    )
