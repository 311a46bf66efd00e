"""Wait times of an open workload: due times come from a schedule alone, whatever the server does.

They are used as a user class's ``wait_time``, like Locust's ``between`` or ``constant``. Those make a closed
workload, in which a user waits for the answer and then for a while.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NoReturn

from wsload.errors import UsageError
from wsload.measure.schedule import ConstantRate, PoissonRate, Schedule


class OpenWait:
    """A ``wait_time`` that is a schedule: the user's tasks start when they are due, not after a wait."""

    def __init__(self, text: str, schedule: Callable[[], Schedule]) -> None:
        self.text = text
        self.schedule = schedule
        """Creates the schedule of one user."""

    def __repr__(self) -> str:
        return self.text

    def __call__(self, *_: Any) -> NoReturn:
        raise UsageError(f"wait_time = {self.text} only works for WebSocketUser and ChatUser")


def constant_rate(rate: float) -> Any:
    """Each user's tasks are due ``rate`` times a second, evenly spaced, with a random phase per user.

    An open workload: response times count from the due time, and a slow answer delays nothing.
    Raises `UsageError` for a rate that is not above 0.
    """
    _checked(lambda: ConstantRate(rate))
    return OpenWait(f"constant_rate({rate:g})", lambda: ConstantRate(rate, phase=random.random()))


def poisson_rate(rate: float) -> Any:
    """Each user's tasks are due ``rate`` times a second on average, at random: a Poisson process.

    An open workload, like `constant_rate`, with the bursts that independent people cause.
    Raises `UsageError` for a rate that is not above 0.
    """
    _checked(lambda: PoissonRate(rate))
    return OpenWait(f"poisson_rate({rate:g})", lambda: PoissonRate(rate))


def _checked(make: Callable[[], Schedule]) -> None:
    try:
        make()
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from None
