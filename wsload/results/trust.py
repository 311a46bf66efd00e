"""How far a run's figures can be trusted: the part of run.json that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from wsload.redact import plain

ALL: Final = 100.0
"""Trusted up to the maximum."""
NONE: Final = 0.0
"""Not trusted at all."""


class Standing(StrEnum):
    """The words that every list and report says of a run."""

    TRUSTED = "trusted"
    """Up to p99 at least, whatever was requested."""
    PARTLY = "partly trusted"
    """Up to a lower percentile, or not every request's."""
    UNTRUSTED = "not trusted"
    FEW = "too few to judge"
    NOTHING = "nothing measured"
    FAILED = "failed at start"
    """No user came as far as a request: nobody could connect, or log in."""
    INCOMPLETE = "incomplete"
    """It has no end, or a file of it is missing or damaged."""

    @property
    def tone(self) -> str:
        """How it is shown: ``good``, ``doubtful`` or ``bad``."""
        if self is Standing.TRUSTED:
            return "good"
        return "doubtful" if self.usable or self is Standing.INCOMPLETE else "bad"

    @property
    def usable(self) -> bool:
        """Whether there are figures that can be vouched for."""
        return self in (Standing.TRUSTED, Standing.PARTLY, Standing.FEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The verdict on a run's figures."""

    standing: Standing
    verdict: str
    """For people, one sentence, without its full stop."""
    remedy: str = ""
    """What to do about it."""
    tolerance_ns: int = 1_000_000
    """By how much the load generator's lateness may move a percentile that is trusted, or by a tenth of it."""
    up_to: Mapping[str, float] = field(default_factory=dict)
    """The highest percentile that is trusted, by metric; 100 is the maximum, 0 none at all. Trusted up to the
    maximum is what is absent."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a metric is not trusted up to the maximum, where the reason is its own."""

    def covers(self, metric: str, percentile: float) -> bool:
        """Whether this percentile of the metric is trusted; 100 is the maximum, and the mean's measure too."""
        return percentile <= self.up_to.get(metric, ALL)

    def to_json(self) -> dict[str, object]:
        """As in run.json."""
        return {
            "standing": self.standing,
            "verdict": plain(self.verdict),
            "remedy": plain(self.remedy),
            "tolerance_ns": self.tolerance_ns,
            "up_to": dict(self.up_to),
            "reasons": {metric: plain(reason) for metric, reason in self.reasons.items()},
        }

    @classmethod
    def from_json(cls, found: Any) -> Trust:
        """The value of what `to_json` wrote. Raises `ValueError` for anything else."""
        try:
            return cls(
                standing=Standing(found["standing"]),
                verdict=str(found["verdict"]),
                remedy=str(found["remedy"]),
                tolerance_ns=int(found["tolerance_ns"]),
                up_to={str(metric): float(rung) for metric, rung in found["up_to"].items()},
                reasons={str(metric): str(reason) for metric, reason in found["reasons"].items()},
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"'trust' is not what it should be ({error})") from error
