"""How far a run's figures can be trusted: ``trust`` in run.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from wsload.redact import plain
from wsload.results.files import finite, whole

ALL: Final = 100.0
"""Trusted up to the maximum."""
NONE: Final = 0.0
"""Not trusted at all."""


class Standing(StrEnum):
    """The verdict in a word, the same in every list and report."""

    TRUSTED = "trusted"
    """Every request, up to p99 at least."""
    PARTLY = "partly trusted"
    """Not every request, or only up to a lower percentile."""
    UNTRUSTED = "not trusted"
    FEW = "too few to judge"
    NOTHING = "nothing measured"
    FAILED = "failed at start"
    """No user got as far as a request: nobody could connect, or log in."""
    INCOMPLETE = "incomplete"
    """The run has not ended, or one of its files is missing, damaged or lacks what could not be written."""

    @property
    def tone(self) -> str:
        """For its colour: ``good``, ``doubtful`` or ``bad``."""
        if self is Standing.TRUSTED:
            return "good"
        return "doubtful" if self.usable or self is Standing.INCOMPLETE else "bad"

    @property
    def usable(self) -> bool:
        """Whether the run's figures may be judged: nothing says that they are wrong, but they may be too few."""
        return self.trusted or self is Standing.FEW

    @property
    def trusted(self) -> bool:
        """Whether at least some figures are trusted."""
        return self in (Standing.TRUSTED, Standing.PARTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The verdict on a run's figures."""

    standing: Standing
    verdict: str
    """One sentence, without its full stop."""
    remedy: str = ""
    """What to do about it."""
    tolerance_ns: int = 1_000_000
    """A percentile is trusted if the load generator's lateness moved it by no more than this, or a tenth of it."""
    up_to: Mapping[str, float] = field(default_factory=dict)
    """By metric, the highest percentile that is trusted: 100 is the maximum, 0 means none. Metrics that are trusted
    up to the maximum are absent."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a metric is not trusted up to the maximum, if that is for a reason of its own."""

    def covers(self, metric: str, percentile: float) -> bool:
        """Whether this percentile of the metric is trusted; 100 stands for the maximum, and for the mean."""
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
        """Reads what `to_json` wrote. Raises `ValueError` for anything else."""
        try:
            return cls(
                standing=Standing(found["standing"]),
                verdict=str(found["verdict"]),
                remedy=str(found["remedy"]),
                tolerance_ns=whole(found["tolerance_ns"]),
                up_to={str(metric): finite(rung) for metric, rung in found["up_to"].items()},
                reasons={str(metric): str(reason) for metric, reason in found["reasons"].items()},
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"'trust' is malformed ({error})") from error
