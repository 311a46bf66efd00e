"""Waiting for a condition, with a deadline: never for a time that should be enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

STEP_S = 0.02


def until(condition: Callable[[], T], *, timeout_s: float = 20.0, what: str = "") -> T:
    """What the condition returned as soon as that was true; fails the test at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what or condition}"
        time.sleep(STEP_S)
    return found
