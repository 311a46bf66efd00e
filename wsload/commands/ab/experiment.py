"""experiment.json: the plan of an experiment, and the runs made so far. Written atomically after each run.

Schema history:
    1   created_at, ended, plan, runs.
    2   more, calibrations; in the plan directory and calibrations; in the gate scatter, failures_within,
        failures_floor, no run_deviation.

A file of a newer schema is refused; keys that this version does not know are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from wsload.commands.ab.plan import MAX_PAIRS, ExperimentPlan, Slot, calibration_slots, order
from wsload.commands.harness.builds import Build
from wsload.commands.harness.stored import made, moment, read, utf8
from wsload.errors import UsageError
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.verdict import Gate
from wsload.results.files import dump, finite, parse, store

SCHEMA: Final = 2
EXPERIMENT: Final = "experiment.json"
CALIBRATION: Final = "calibration"
"""Subdirectory for runs of A on both sides."""
DISCARDED: Final = "discarded"
"""Subdirectory for attempts that were repeated."""

_ALL_JUDGED: Final = 12
"""Names in the gate of schema 1 that stood for everything."""


class StopReason(StrEnum):
    """Why no more runs are made."""

    PLANNED = "planned"
    """All were made."""
    EARLY = "early"
    """The verdict was clear before (``--stop-early``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The run that fills a slot of the order."""

    slot: int
    """Its number, from 1."""
    run: str
    """The run's directory, beside experiment.json."""
    valid: bool
    repeated: tuple[str, ...] = ()
    """Why earlier attempts were discarded, one sentence each."""
    took_s: float = 0.0
    """Including server, warm-up and all attempts; half of it where two runs were made at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A pair of runs of A and A."""

    a: str
    """The directory of the run on A's side, in `CALIBRATION`."""
    b: str
    """That on B's side."""
    valid: bool
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A plan, and the runs made so far."""

    plan: ExperimentPlan
    created_at: float
    """Wall clock, seconds since the epoch."""
    done: tuple[Outcome, ...] = ()
    """In the order of their slots, without gaps."""
    calibrated: tuple[Calibration, ...] = ()
    """The calibrations made so far."""
    ended: StopReason | None = None
    """None while runs are missing."""
    more: tuple[int, ...] = ()
    """Pairs added by each extension after it had ended (``--more``)."""

    @property
    def pairs(self) -> int:
        """All pairs, planned and added."""
        return self.plan.pairs + sum(self.more)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return order(self.pairs)

    def stage(self, slot: int) -> int:
        """The stage of the run in this slot: 0 for the planned ones, 1 for the first extension."""
        ends = accumulate((self.plan.pairs, *self.more))
        return sum(slot > 2 * end for end in ends)

    def extended(self, pairs: int) -> Experiment:
        """The experiment with this many more pairs. Raises `UsageError` unless it has ended as planned."""
        if self.ended is StopReason.EARLY:
            raise UsageError("--more: the experiment stopped early with a clear verdict: start a new one")
        if self.ended is None:
            raise UsageError(f"--more: the experiment is not finished: resume it first ({self.missing()})")
        if not 2 <= pairs <= MAX_PAIRS - self.pairs:
            raise UsageError(f"--more {pairs}: from 2 to {MAX_PAIRS - self.pairs} pairs can be added")
        return replace(self, more=(*self.more, pairs), ended=None)

    @property
    def left(self) -> tuple[Slot, ...]:
        """The slots without a run; empty once it has ended."""
        return () if self.ended else self.slots[len(self.done) :]

    @property
    def calibrations(self) -> int:
        """All calibrations, made or to be made: added pairs have as many as the planned ones."""
        return self.plan.calibrations * self.pairs // self.plan.pairs

    @property
    def calibration(self) -> tuple[Slot, ...]:
        """The slots of the calibration that is due; empty if none is.

        They are spread evenly between the pairs; the first comes before anything may stop the experiment early.
        """
        due = min(self.whole_pairs * (self.calibrations + 1) // self.pairs, self.calibrations)
        if self.plan.stop_early and self.whole_pairs >= self.plan.looks.first_look - 1:
            due = max(due, min(1, self.calibrations))
        number = len(self.calibrated)
        return calibration_slots(number, self.whole_pairs) if number < due and self.left else ()

    @property
    def turns(self) -> tuple[tuple[Slot, ...], ...]:
        """The remaining slots, grouped by what runs at the same time."""
        if not self.plan.side_by_side:
            return tuple((slot,) for slot in self.left)
        return tuple(zip(self.left[::2], self.left[1::2], strict=True))

    @property
    def whole_pairs(self) -> int:
        """The number of pairs with both runs."""
        return len(self.done) // 2

    @property
    def valid_pairs(self) -> int:
        """The number of pairs of whose runs both are valid."""
        return sum(a.valid and b.valid for a, b in zip(self.done[::2], self.done[1::2], strict=False))

    def with_outcome(self, outcome: Outcome) -> Experiment:
        """The experiment with one more run."""
        assert outcome.slot == len(self.done) + 1
        done = (*self.done, outcome)
        ended = StopReason.PLANNED if len(done) == len(self.slots) else None
        return replace(self, done=done, ended=ended)

    def without_half_pair(self) -> tuple[Experiment, Outcome | None]:
        """The experiment without the run whose partner is missing, and that run.

        The machine may change during a break, so both runs of a pair are made before it, or both after it.
        """
        if len(self.done) % 2 == 0 or self.ended:
            return self, None
        return replace(self, done=self.done[:-1]), self.done[-1]

    def runs(self) -> Iterator[tuple[Side, Outcome]]:
        """Each run with its side."""
        for slot, outcome in zip(self.slots, self.done, strict=False):
            yield slot.side, outcome

    def missing(self) -> str:
        """Which runs are missing, in one sentence; empty if none are."""
        if not self.left:
            return ""
        letters = " ".join(f"{slot.number} ({slot.letter})" for slot in self.left[:6])
        more = ", …" if len(self.left) > 6 else ""
        return (
            f"{len(self.done)} of {len(self.slots)} runs were made, {self.whole_pairs} of {self.pairs} "
            f"pairs are complete; missing: {letters.replace(') ', '), ')}{more}"
        )

    def to_json(self) -> bytes:
        """The file's contents, indented for people."""
        plan = asdict(self.plan)
        return dump(
            {
                "schema": SCHEMA,
                "created_at": self.created_at,
                "ended": self.ended,
                "more": self.more,
                "plan": utf8(plan),
                "runs": [
                    {**asdict(outcome), "pair": slot.pair, "side": slot.side.letter}
                    for slot, outcome in zip(self.slots, self.done, strict=False)
                ],
                "calibrations": [asdict(each) for each in self.calibrated],
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Experiment:
        """Parses the file's contents; raises `ValueError` with the problem."""
        try:
            found = parse(data)
            schema = found["schema"]
            if schema not in (1, SCHEMA):
                raise ValueError(
                    f"written by a newer wsload (schema {schema}; this one reads up to {SCHEMA}): "
                    "upgrade wsload to read it"
                    if isinstance(schema, int) and schema > SCHEMA
                    else f"schema {schema!r} is unknown"
                )
            experiment = cls(
                plan=_plan(found["plan"], schema),
                created_at=moment(found["created_at"]),
                done=tuple(made(Outcome, each, repeated=tuple(each["repeated"])) for each in found["runs"]),
                ended=None if found["ended"] is None else StopReason(found["ended"]),
                more=tuple(map(int, found.get("more", ()))),
                calibrated=tuple(made(Calibration, each) for each in found.get("calibrations", ())),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an experiment ({type(error).__name__}: {error})") from error
        names = [outcome.run for outcome in experiment.done]
        others = [name for each in experiment.calibrated for name in (each.a, each.b)]
        if any(name != Path(name).name or name in ("", ".", "..") for name in (*names, *others)):
            raise ValueError("names a run outside its own directory")
        if [outcome.slot for outcome in experiment.done] != list(range(1, len(names) + 1)):
            raise ValueError("the numbers of its runs don't match its plan")
        if any(pairs < 2 for pairs in experiment.more) or experiment.pairs > MAX_PAIRS:
            raise ValueError("too many pairs")
        if experiment.ended is StopReason.EARLY and not experiment.plan.looks.early_looks:
            raise ValueError("marked as stopped early, but its plan has no stopping rule")
        if len(names) > len(experiment.slots) or len(experiment.calibrated) > experiment.calibrations:
            raise ValueError("more runs than planned")
        return experiment


def _plan(found: dict[str, Any], schema: int) -> ExperimentPlan:
    gate = found["gate"]
    judged = tuple(gate["judged"])
    return made(
        ExperimentPlan,
        found,
        a=made(Build, found["a"]),
        b=made(Build, found["b"]),
        options=tuple(found["options"]),
        gate=made(
            Gate,
            gate,
            judged=() if schema == 1 and len(judged) == _ALL_JUDGED else judged,
            scatter=tuple((str(name), finite(value)) for name, value in gate.get("scatter", ())),
        ),
    )


def load(path: Path) -> Experiment:
    """The experiment in this directory.

    Raises `ResultsError` when there is none, it is damaged, or was written by a newer wsload.
    """
    return read(path / EXPERIMENT, Experiment.from_json)


def save(path: Path, experiment: Experiment) -> None:
    """Replaces the experiment in this directory. Raises `NotWritten` when it can't be written."""
    store(path / EXPERIMENT, experiment.to_json(), what=f"{path}: the experiment")
