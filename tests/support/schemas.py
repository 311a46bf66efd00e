"""The published schemas of a results directory's files, taken strictly: no keys but those they describe."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from wsload.results.run import SCHEMA

fastjsonschema = pytest.importorskip("fastjsonschema")

FILES = ("run", "summary", "counters")


def schema(name: str, version: int) -> dict[str, Any]:
    text = files("wsload.results").joinpath("schemas", f"{name}-{version}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def strict(found: Any) -> Any:
    """The schema with no keys allowed but those it describes."""
    if isinstance(found, dict):
        inner = {key: strict(value) for key, value in found.items()}
        return inner if "properties" not in found else {**inner, "additionalProperties": False}
    return [strict(value) for value in found] if isinstance(found, list) else found


VALIDATORS = {
    (name, version): fastjsonschema.compile(strict(schema(name, version)))
    for name in FILES
    for version in range(1, SCHEMA + 1)
}


def validate(name: str, content: bytes | str | dict[str, Any], version: int = SCHEMA) -> None:
    """Raises `JsonSchemaException` for what is no such file: ``run``, ``summary``, or a line of ``counters``."""
    VALIDATORS[name, version](content if isinstance(content, dict) else json.loads(content))


def validate_run(path: Path) -> None:
    """All the files of a run's directory, by the schema that they say they are of."""
    version = json.loads((path / "run.json").read_bytes())["schema"]
    validate("run", (path / "run.json").read_bytes(), version)
    validate("summary", (path / "summary.json").read_bytes(), version)
    for line in (path / "counters.jsonl").read_bytes().splitlines():
        validate("counters", line, version)
