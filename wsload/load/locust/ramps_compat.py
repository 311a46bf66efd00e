"""What wsload uses of Locust's runners to end a ramp, without their documentation promising it.

Each function has a canary in tests/unit/test_ramps.py, which names Locust and its version when a release changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locust.runners import STATE_INIT, STATE_SPAWNING, STATE_STOPPED, MasterRunner, WorkerRunner


def heed_stop(runner: MasterRunner) -> bool:
    """Makes a master obey a stop although its start has failed; False if that came to its first user, or was stopped.

    ``start`` sets the ``state`` just before the first user, and ``stop`` ignores it until then.
    """
    if runner.state not in (STATE_INIT, STATE_STOPPED):
        return False
    runner.update_state(STATE_SPAWNING)
    return True


def drop_orders(runner: WorkerRunner, unwanted: Callable[[], bool]) -> None:
    """Makes a worker do nothing about an order of users that comes while ``unwanted()``.

    ``start_worker`` would set its ``state`` to running, and so have it stopped a second time.
    """
    start = runner.start_worker

    def wanted_start(*args: Any, **settings: Any) -> None:
        if not unwanted():
            start(*args, **settings)

    runner.start_worker = wanted_start  # type: ignore[method-assign]
