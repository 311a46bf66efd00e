"""The house's own rules: imports go down, each third party has one door, files stay small and documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "wsload"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}

FLOORS = {
    "plugin": 7,
    "cli": 7,
    "ab": 6,
    "selftest": 6,
    "report": 5,
    "analysis": 4,
    "server": 4,
    "engine": 3,
    "results": 3,
    "probe": 3,
    "chat": 2,
    "measure": 1,
    "errors.py": 0,
    "options.py": 0,
}
"""A package imports itself and what lies below it, nothing above it and nothing beside it."""

ROOF = {"__init__.py": {"wsload.plugin"}, "__main__.py": {"wsload.cli"}}
"""The package's own front and its command only pass on."""

DOORS = {
    "hdrh": ("measure/histogram.py",),
    "orjson": ("chat/messages.py", "results/"),
    "locust": ("plugin/",),
    "gevent": ("plugin/",),
    "uvloop": ("engine/", "server/"),
    "websockets": ("engine/", "server/"),
    "typer": ("cli/",),
}
"""Who may import which third party."""

MOST_LINES = 300


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, anywhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, "a relative import"
            if node.module == "wsload":
                yield from (f"wsload.{alias.name}" for alias in node.names)
            else:
                yield node.module


def imports() -> Iterator[tuple[str, str]]:
    """(file, module it imports), all of them."""
    for name, tree in TREES.items():
        yield from ((name, module) for module in imports_of(tree))


def may_import(name: str, module: str) -> bool:
    if name in ROOF:
        return module in ROOF[name]
    here, there = name.split("/")[0], module.split(".")[1]
    there = there if there in FLOORS else f"{there}.py"
    return here == there or FLOORS[there] < FLOORS[here]


def test_imports_go_down() -> None:
    ours = [(name, module) for name, module in imports() if module.startswith("wsload.")]
    assert len(ours) > 50
    assert [each for each in ours if not may_import(*each)] == []


def test_every_package_is_on_a_floor() -> None:
    assert {name.split("/")[0] for name in TREES} - ROOF.keys() == FLOORS.keys()


def test_third_parties_come_in_by_their_doors() -> None:
    intruders = [
        (name, module)
        for name, module in imports()
        if not name.startswith(DOORS.get(module.split(".")[0], ("",)))
    ]
    assert intruders == []


def test_only_the_histogram_knows_hdrh() -> None:
    assert {name for name, module in imports() if module.split(".")[0] == "hdrh"} == {"measure/histogram.py"}


@pytest.mark.parametrize("module", ["wsload", "wsload.cli", "wsload.engine.loop", "wsload.probe.process"])
def test_neither_locust_nor_gevent_is_loaded_by(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'locust', 'gevent'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_file_is_one_room() -> None:
    lengths = {name: len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in TREES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def undocumented() -> Iterator[str]:
    """Public modules, classes and functions without a docstring; an empty file needs none."""
    for name, tree in TREES.items():
        if tree.body and not ast.get_docstring(tree):
            yield name
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                yield f"{name}: {node.name}"


def test_what_is_public_says_what_it_is() -> None:
    assert list(undocumented()) == []
