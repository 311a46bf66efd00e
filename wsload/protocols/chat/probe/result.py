"""What a probe saw: a second of it, which is one line of its output, or its whole life."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from wsload.measure.histogram import Histogram, merged

_SUMS: Final = ("sent", "echoed", "lost", "late", "unsent", "opens", "failures", "kernel", "receipt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """Service times and counts; see `added` for how the parts make the whole."""

    histogram: Histogram = field(default_factory=Histogram)
    """Service times, from a post's leaving to its echo's arrival, in ns."""
    sent: int = 0
    """Posts sent."""
    echoed: int = 0
    """Posts that came back in time: as many as there are service times."""
    lost: int = 0
    """Posts given up: after their time-out, with their connection, or at the end."""
    late: int = 0
    """Echoes of posts that had been given up."""
    unsent: int = 0
    """Posts that were due while there was no login."""
    opens: int = 0
    """Logins completed: all but the first are reconnections."""
    failures: int = 0
    """Openings and logins that failed, and connections that were lost."""
    kernel: int = 0
    """Service times of which both ends are the kernel's stamps."""
    receipt: int = 0
    """Those of which only the arrival is, the sending this process's own."""
    problem: str = ""
    """What failed last, in one line; empty when nothing did."""
    ended: bool = False
    """Whether the probe said that this is all: otherwise it was cut short."""

    @property
    def stamps(self) -> str:
        """Whose stamps the service times are, for people."""
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
        """One line, without its end."""
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
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a probe's line ({error})") from error


def added(parts: Iterable[ProbeResult]) -> ProbeResult:
    """The sum of a probe's parts, in their order: what failed last, and whether it ended, is the last's."""
    parts = list(parts)
    return ProbeResult(
        histogram=merged(part.histogram for part in parts),
        problem=next((part.problem for part in reversed(parts) if part.problem), ""),
        ended=any(part.ended for part in parts),
        **{name: sum(getattr(part, name) for part in parts) for name in _SUMS},
    )
