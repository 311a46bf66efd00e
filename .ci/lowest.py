"""Prints the lowest versions that pyproject.toml allows, as constraints for pip: CI tests them too."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+),<([0-9]+)")


def lowest(project: str) -> Iterator[str]:
    """A line ``name==version`` for each dependency, optional ones included.

    Raises `ValueError` for one without a lower bound and an upper one on a major version.
    """
    found = tomllib.loads(project)["project"]
    extras = found["optional-dependencies"].values()
    for requirement in (*found["dependencies"], *(each for extra in extras for each in extra)):
        if requirement.startswith(f"{found['name']}["):
            continue
        bounds = REQUIREMENT.fullmatch(requirement)
        if not bounds:
            raise ValueError(f"{requirement!r}: 'name>=LOWEST,<NEXT MAJOR' is wanted")
        yield f"{bounds[1]}=={bounds[2]}"


if __name__ == "__main__":
    print("\n".join(lowest(PROJECT.read_text("utf-8"))))
