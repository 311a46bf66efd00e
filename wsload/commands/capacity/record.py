"""capacity.json: the plan of a search, and the steps made so far. Written atomically after each step.

Schema history:
    1   created_at, plan, steps. Optional in a step: enough_s.

A file of a newer schema is refused; keys that this version does not know are ignored.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from wsload.commands.capacity.plan import CapacityPlan, Search
from wsload.commands.harness.builds import Build
from wsload.commands.harness.stored import made, moment, read, utf8
from wsload.judge.capacity.search import Outcome, SearchPlan
from wsload.judge.capacity.step import StepFigures
from wsload.judge.compare.pairs import Side
from wsload.results.files import dump, parse, store

SCHEMA: Final = 1
CAPACITY: Final = "capacity.json"
_SIDES: Final = {side.letter: side for side in Side}


def to_json(search: Search) -> bytes:
    """The file's contents, indented for people."""
    return dump(
        {
            "schema": SCHEMA,
            "created_at": search.created_at,
            "plan": utf8(asdict(search.plan)),
            "steps": [
                {"side": side.letter, **utf8(asdict(step))}
                for side, steps in search.steps.items()
                for step in steps
            ],
        }
    )


def from_json(data: bytes) -> Search:
    """Parses the file's contents; raises `ValueError` with the problem."""
    try:
        found = parse(data)
        if (schema := found["schema"]) != SCHEMA:
            raise ValueError(f"schema {schema!r} is unknown: it takes a newer wsload to read it")
        search = Search(plan=_plan(found["plan"]), created_at=moment(found["created_at"]))
        for each in found["steps"]:
            step = made(StepFigures, each, outcome=Outcome(each["outcome"]))
            if step.run != Path(step.run).name or step.run in (".", ".."):
                raise ValueError("names a run outside its own directory")
            search = search.with_step(_SIDES[each["side"]], step)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a search for a capacity ({type(error).__name__}: {error})") from error
    return search


def _plan(found: dict[str, Any]) -> CapacityPlan:
    return made(
        CapacityPlan,
        found,
        a=made(Build, found["a"]),
        b=None if found["b"] is None else made(Build, found["b"]),
        checks=tuple(map(str, found["checks"])),
        options=tuple(map(str, found["options"])),
        search=made(SearchPlan, found["search"]),
    )


def load(path: Path) -> Search:
    """The search in this directory.

    Raises `ResultsError` when there is none, it is damaged, or was written by a newer wsload.
    """
    return read(path / CAPACITY, from_json)


def save(path: Path, search: Search) -> None:
    """Replaces the search in this directory. Raises `NotWritten` when it can't be written."""
    store(path / CAPACITY, to_json(search), what=f"{path}: the search")
