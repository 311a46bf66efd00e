"""For canaries: tests that tell what a dependency has changed of what its documentation does not promise."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from importlib.metadata import version

import pytest


@contextlib.contextmanager
def needed(dependency: str, name: str, purpose: str) -> Iterator[None]:
    """Whatever goes wrong inside is reported as what this name is needed for."""
    try:
        yield
    except Exception as error:
        release = platform.python_version() if dependency == "CPython" else version(dependency)
        pytest.fail(f"{dependency} {release}: {name} has changed; wsload needs it {purpose}: {error!r}")
