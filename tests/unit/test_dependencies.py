"""What pyproject.toml declares: all that the code imports, from a tested version up to the next major one."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
OPTIONAL = {"httpx2", "opentelemetry", "prometheus_client"}
"""Imported where they are asked for, and missed with a word."""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lowest", ROOT / ".ci" / "lowest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared() -> list[str]:
    return tomllib.loads(PROJECT)["project"]["dependencies"]


def test_whatever_is_imported_is_declared() -> None:
    imported = set()
    for path in (ROOT / "wsload").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    modules = imported - sys.stdlib_module_names - {"wsload"} - OPTIONAL
    distributions = importlib.metadata.packages_distributions()
    names = {re.match(r"[a-z0-9-]+", requirement).group() for requirement in declared()}  # type: ignore[union-attr]
    assert {distributions[module][0].lower() for module in modules} == names


def test_every_upper_bound_is_a_later_major_version_than_the_lower() -> None:
    bounds = [script().REQUIREMENT.fullmatch(requirement) for requirement in declared()]
    assert all(found and int(found[2].split(".")[0]) < int(found[3]) for found in bounds)


def test_what_is_installed_lies_within_the_bounds() -> None:
    for requirement in declared():
        name, _, upper = script().REQUIREMENT.fullmatch(requirement).groups()
        assert int(importlib.metadata.version(name).split(".")[0]) < int(upper)


def test_the_lowest_versions_are_those_declared() -> None:
    project = """
        [project]
        name = "us"
        dependencies = ["one>=1.2,<2", "two>=0.3.1,<1"]
        optional-dependencies = {more = ["us[some]", "three>=4,<6"]}
    """
    assert list(script().lowest(project)) == ["one==1.2", "two==0.3.1", "three==4"]


@pytest.mark.parametrize("requirement", ["one", "one>=1", "one<2", "one==1.2", "one>=1,<2.5"])
def test_a_dependency_without_both_bounds_is_refused(requirement: str) -> None:
    with pytest.raises(ValueError, match="LOWEST"):
        list(
            script().lowest(
                f'[project]\nname="us"\ndependencies=["{requirement}"]\noptional-dependencies={{}}'
            )
        )
