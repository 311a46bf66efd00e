"""A search for a capacity, with everything that its reports show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsload.exit_codes import ExitCode
from wsload.judge.capacity.comparison import CapacityComparison
from wsload.judge.capacity.search import EXIT_CODES, Outcome, SearchPlan, SearchStatus
from wsload.judge.capacity.step import StepFigures
from wsload.words import build_name


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedSide:
    """One build's search."""

    letter: str
    name: str
    how: str
    """The command that starts its server, or its URL."""
    look: SearchStatus
    steps: tuple[StepFigures, ...]

    @property
    def called(self) -> str:
        """``A (v1)``, or just the letter."""
        return build_name(self.letter, self.name)

    @property
    def fails_at(self) -> StepFigures | None:
        """The lowest step that fails above the interval, or else above the estimate."""
        failing = sorted(
            (step for step in self.steps if step.outcome is Outcome.FAILS), key=lambda step: step.rate
        )
        for border in (self.look.high, self.look.estimate):
            for step in failing:
                if step.rate >= border:
                    return step
        return None

    @property
    def highest(self) -> StepFigures | None:
        """The highest step that holds."""
        held = [step for step in self.steps if step.outcome is Outcome.HOLDS]
        return max(held, key=lambda step: step.rate, default=None)

    def latest(self, outcome: Outcome) -> StepFigures | None:
        """The last step with this outcome."""
        return next((step for step in reversed(self.steps) if step.outcome is outcome), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityReport:
    """What is rendered."""

    path: Path
    """The search's directory, with its steps' runs."""
    started_s: float
    """Seconds since the epoch."""
    plan: SearchPlan
    checks: tuple[str, ...]
    load: str
    """What was loaded, and how, in a few words."""
    sides: tuple[SearchedSide, ...]
    """One or two."""
    contrast: CapacityComparison | None = None
    """Of two sides."""

    @property
    def unit(self) -> str:
        """Behind a rate."""
        return " users" if self.plan.whole else "/s"

    @property
    def tone(self) -> str:
        """For its colour: ``good``, ``doubtful`` or ``bad``."""
        return {ExitCode.OK: "good", ExitCode.INCONCLUSIVE: "doubtful"}.get(self.exit_code, "bad")

    @property
    def exit_code(self) -> ExitCode:
        return self.contrast.exit_code if self.contrast is not None else EXIT_CODES[self.sides[0].look.state]
