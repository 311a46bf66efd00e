"""A bug in a background task or callback of a user class is counted and shown; none is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.locust_run import LOCUSTFILES, Finished
from support.serving import Serving, echo


def load(run_locust: Callable[..., Finished], serving: Serving, how: str) -> Finished:
    return run_locust(
        *("-f", LOCUSTFILES / "background.py", "--headless", "-u", "2", "-r", "2", "-t", "2s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}"),
        env={"HOW": how},
    )


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("a task that is kept", "task read: KeyError"),
        ("a task that is dropped", "task read: KeyError"),
        ("a callback", "callback tick: KeyError"),
    ],
)
def test_an_exception_that_nobody_handles_is_counted_for_each_user_and_shown_once(
    run_locust: Callable[..., Finished], serving: Serving, how: str, failure: str
) -> None:
    finished = load(run_locust, serving, how)
    assert finished.failures == {failure: 2}
    assert finished.returncode != 0
    name = failure.split(" ")[1].rstrip(":")
    assert [line.endswith(f", in {name}") for line in finished.stderr.splitlines()].count(True) == 1
    assert "never retrieved" not in finished.stderr and "Exception in callback" not in finished.stderr


def test_without_a_bug_nothing_is_counted(run_locust: Callable[..., Finished], serving: Serving) -> None:
    failures = load(run_locust, serving, "nothing").failures
    assert [name for name in failures if name.startswith(("task", "callback"))] == []


def test_gevents_timeout_is_refused_where_it_would_not_end_an_await(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    finished = load(run_locust, serving, "gevent.Timeout")
    assert finished.failures.keys() == {"task talk: UsageError"}
    assert "use asyncio.timeout" in finished.stderr
