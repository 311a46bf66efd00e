"""Hypothesis without its deadline: how long an example takes says nothing on a busy machine.

``WSLOAD_EXAMPLES`` says how many examples each law is tried with, 100 unless given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from world import World

settings.register_profile("wsload", deadline=None, max_examples=int(os.environ.get("WSLOAD_EXAMPLES", "100")))
settings.load_profile("wsload")


@pytest.fixture
def w() -> Iterator[World]:
    """A world of the test's own."""
    from world import world  # here, because Locust patches the interpreter, and most tests do without

    with world() as made:
        yield made
