"""Tests of one group run in one process: they share their fixtures, and do not hold up other processes."""

from __future__ import annotations

import os

import pytest


@pytest.mark.xdist_group("known")
def test_groups_are_known_to_what_hands_out_the_tests(request: pytest.FixtureRequest) -> None:
    """pytest-xdist 3.8 writes a test's group into its id; pytest 9.2 lets nobody, and groups were silently ignored."""
    assert request.node.nodeid.endswith("@known") == ("PYTEST_XDIST_WORKER" in os.environ)
