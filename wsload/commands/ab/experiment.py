"""experiment.json: the plan of an experiment, and what of it is done. Written after each run, atomically.

Schema history:
    1   created_at, ended, plan, runs.
    2   more; in the plan directory; in the gate scatter, failures_within, failures_floor, no run_deviation.

A file of a newer schema is refused; keys that this version does not know are ignored.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, TypeVar

from wsload.commands.ab.plan import LETTERS, MOST_PAIRS, Build, Plan, Slot, order
from wsload.errors import ResultsError, UsageError
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.verdict import Gate
from wsload.redact import plain
from wsload.results.run import dump, read_json_file, replace_file
from wsload.words import stamp

SCHEMA: Final = 2
EXPERIMENT: Final = "experiment.json"
DISCARDED: Final = "discarded"
"""Below the experiment's directory: warm-ups, and attempts that were made again."""

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}
_ALL_JUDGED: Final = 12
"""Names in the gate of schema 1 that stood for everything."""
T = TypeVar("T")


class Ending(StrEnum):
    """Why no more runs are made."""

    PLANNED = "planned"
    """All are made."""
    EARLY = "early"
    """The verdict was clear before (``--stop-early``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one slot of the order was filled."""

    slot: int
    """Its number, from 1."""
    run: str
    """The run's directory, beside experiment.json."""
    valid: bool
    """Whether the run vouches for its figures."""
    repeated: tuple[str, ...] = ()
    """Why the attempts before it were set aside, one sentence each."""
    took_s: float = 0.0
    """With server, warm-up and all attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A plan, and what of it is done."""

    plan: Plan
    created_at: float
    """Wall clock, seconds since the epoch."""
    done: tuple[Outcome, ...] = ()
    """In the order of their slots, without gaps."""
    ended: Ending | None = None
    """None while runs are missing."""
    more: tuple[int, ...] = ()
    """Pairs added after it had ended, by extension (``--more``)."""

    @property
    def pairs(self) -> int:
        """All the pairs of it, planned and added."""
        return self.plan.pairs + sum(self.more)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return order(self.pairs)

    def stage(self, slot: int) -> int:
        """Which stage the run in this slot belongs to: 0 for what was planned, 1 for the first extension."""
        ends = accumulate((self.plan.pairs, *self.more))
        return sum(slot > 2 * end for end in ends)

    def extended(self, pairs: int) -> Experiment:
        """With so many more pairs to make. Raises `UsageError` where it has not ended as planned."""
        if self.ended is Ending.EARLY:
            raise UsageError("--more: the experiment stopped early, its verdict was clear: start another")
        if self.ended is None:
            raise UsageError(f"--more: the experiment is not finished, resume it first ({self.missing()})")
        if not 2 <= pairs <= MOST_PAIRS - self.pairs:
            raise UsageError(f"--more {pairs}: from 2 to {MOST_PAIRS - self.pairs} pairs can be added")
        return replace(self, more=(*self.more, pairs), ended=None)

    @property
    def left(self) -> tuple[Slot, ...]:
        """The slots that no run was made for; none once it has ended."""
        return () if self.ended else self.slots[len(self.done) :]

    @property
    def whole_pairs(self) -> int:
        """How many pairs have both their runs."""
        return len(self.done) // 2

    def with_outcome(self, outcome: Outcome) -> Experiment:
        """One run further."""
        assert outcome.slot == len(self.done) + 1
        done = (*self.done, outcome)
        ended = Ending.PLANNED if len(done) == len(self.slots) else None
        return replace(self, done=done, ended=ended)

    def without_half_pair(self) -> tuple[Experiment, Outcome | None]:
        """Without the run whose partner is missing, and that run.

        After a break the machine is another: both runs of a pair are made after it, or both before.
        """
        if len(self.done) % 2 == 0 or self.ended:
            return self, None
        return replace(self, done=self.done[:-1]), self.done[-1]

    def runs(self) -> Iterator[tuple[Side, Outcome]]:
        """Each finished slot with its side."""
        for slot, outcome in zip(self.slots, self.done, strict=False):
            yield slot.side, outcome

    def missing(self) -> str:
        """What was not measured, in one sentence; empty when nothing is missing."""
        if not self.left:
            return ""
        letters = " ".join(f"{slot.number} ({slot.letter})" for slot in self.left[:6])
        more = ", …" if len(self.left) > 6 else ""
        return (
            f"{len(self.done)} of {len(self.slots)} runs were made, {self.whole_pairs} of {self.pairs} "
            f"pairs are whole; missing: {letters.replace(') ', '), ')}{more}"
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
                "plan": _plain(plan),
                "runs": [
                    {**asdict(outcome), "pair": slot.pair, "side": LETTERS[slot.side]}
                    for slot, outcome in zip(self.slots, self.done, strict=False)
                ],
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Experiment:
        """The value of a file's contents; raises `ValueError` saying what is wrong with it."""
        try:
            found = json.loads(data)
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
                created_at=float(found["created_at"]),
                done=tuple(_made(Outcome, each, repeated=tuple(each["repeated"])) for each in found["runs"]),
                ended=None if found["ended"] is None else Ending(found["ended"]),
                more=tuple(map(int, found.get("more", ()))),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not an experiment ({type(error).__name__}: {error})") from error
        names = [outcome.run for outcome in experiment.done]
        if any(name != Path(name).name or name in ("", ".", "..") for name in names):
            raise ValueError("names a run outside its own directory")
        if [outcome.slot for outcome in experiment.done] != list(range(1, len(names) + 1)):
            raise ValueError("the runs are not those of its plan, one after the other")
        if any(pairs < 2 for pairs in experiment.more) or experiment.pairs > MOST_PAIRS:
            raise ValueError("more pairs than an experiment can have")
        if len(names) > len(experiment.slots):
            raise ValueError("more runs than planned")
        return experiment


def _plan(found: dict[str, Any], schema: int) -> Plan:
    gate = found["gate"]
    judged = tuple(gate["judged"])
    return _made(
        Plan,
        found,
        a=_made(Build, found["a"]),
        b=_made(Build, found["b"]),
        options=tuple(found["options"]),
        gate=_made(
            Gate,
            gate,
            judged=() if schema == 1 and len(judged) == _ALL_JUDGED else judged,
            scatter=tuple((str(name), float(value)) for name, value in gate.get("scatter", ())),
        ),
    )


def _made(kind: type[T], found: dict[str, Any], **given: object) -> T:
    """The dataclass of an object's items, where these are of the kind that the defaults are."""
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    for name, value in found.items():
        wanted = _KINDS.get(known.get(name, ""))
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            raise ValueError(f"{name!r} is a {type(value).__name__}, which it can't be")
    return kind(**({name: value for name, value in found.items() if name in known} | given))


def _plain(value: Any) -> Any:
    """Text that JSON can hold, whatever bytes came in on the command line."""
    if isinstance(value, dict):
        return {key: _plain(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(found) for found in value]
    return plain(value) if isinstance(value, str) else value


def load(path: Path) -> Experiment:
    """The experiment in this directory.

    Raises `ResultsError` when there is none, it is damaged, or was written by a newer wsload.
    """
    file = path / EXPERIMENT
    data = read_json_file(file)
    try:
        return Experiment.from_json(data)
    except (ValueError, UsageError) as error:
        raise ResultsError(f"{file}: {error}") from error


def save(path: Path, experiment: Experiment) -> None:
    """Replaces the experiment in this directory. Raises `ResultsError` when it can't be written."""
    try:
        replace_file(path / EXPERIMENT, experiment.to_json())
    except OSError as error:
        raise ResultsError(f"{path}: the experiment can't be written ({error.strerror})") from error


def new_directory(results: Path, at: float) -> Path:
    """A new ``ab-<YYYYMMDDThhmmssZ>`` in the results directory; raises `UsageError` where it can't be."""
    name = f"ab-{stamp(at)}"
    number = 1
    while True:
        path = results / (name if number == 1 else f"{name}.{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UsageError(f"--results {str(results)!r}: can't be written to ({error.strerror})") from None
        else:
            return path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds the experiment's directory: two at once would mix their runs. Raises `UsageError`."""
    try:
        held = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"{path}: can't be opened ({error.strerror})") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise UsageError(f"{path}: another wsload ab is at work on it") from None
    try:
        yield
    finally:
        os.close(held)
