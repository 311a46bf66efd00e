"""When a process may be given up for not having ended."""

from __future__ import annotations

from argparse import Namespace

import pytest
from locust import LoadTestShape

from wsload.load.roles import certain_run_time_s


class Shape(LoadTestShape):
    def tick(self) -> None:
        return None


@pytest.mark.parametrize(
    ("options", "shape", "runner", "expected"),
    [
        (Namespace(headless=True, run_time=30), None, object(), 30),
        (Namespace(headless=True, run_time=None), None, object(), None),
        (Namespace(headless=True, run_time=30), Shape(), object(), None),
        (Namespace(headless=False, autostart=True, run_time=30), None, object(), None),
        (Namespace(headless=True, run_time=30), None, None, None),
        (Namespace(run_time=30), None, object(), None),
        (None, None, object(), None),
    ],
    ids=["headless", "no run time", "shape", "web UI", "single user", "library", "no options"],
)
def test_only_a_run_that_locust_ends_in_any_case_is_given_up(
    options: Namespace | None, shape: LoadTestShape | None, runner: object, expected: float | None
) -> None:
    environment = Namespace(parsed_options=options, shape_class=shape, runner=runner)
    assert certain_run_time_s(environment) == expected
