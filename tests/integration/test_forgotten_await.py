"""An await that a user class forgets does nothing: the run counts it, names it, and is not trusted."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import pytest
from support.locust_run import LOCUSTFILES, Finished, processes
from support.serving import Serving, echo

from wsload.load.users import compat

CALLS = {
    "receive": "WebSocketUser.receive",
    "helper": "Forgetful.helper",
    "sleep": "sleep",
    "close": "WebSocketUser.close",
    "open": "WebSocketUser.open",
    "open, kept": "WebSocketUser.open",
}


def load(
    run_locust: Callable[..., Finished],
    serving: Serving,
    where: str,
    number: int = 1,
    more: tuple[str, ...] = (),
) -> Finished:
    return run_locust(
        *("-f", LOCUSTFILES / "forgotten.py", "--headless", "-u", "2", "-r", "2", "-t", "2s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(echo)}", *processes(number), *more),
        env={"WHERE": where, "LOCUST_WS_ALLOW_INVALID": "false"},
    )


@pytest.mark.parametrize(("where", "number"), [*((where, 1) for where in CALLS), ("receive", 2)])
def test_it_is_counted_named_and_the_run_not_trusted(
    run_locust: Callable[..., Finished], serving: Serving, where: str, number: int
) -> None:
    finished = load(run_locust, serving, where, number)
    call = CALLS[where]
    forgotten = finished.failures[f"forgotten await: {call}"]
    assert forgotten >= finished.count("message") - 2 > 4
    assert finished.returncode == 3
    warnings = {each["name"]: each for each in finished.run["warnings"]}
    assert warnings["forgotten-await"]["invalidates"]
    assert warnings["forgotten-await"]["text"].startswith(
        f"{forgotten} calls in the user classes had no await"
    )
    assert call in finished.run["trust"]["verdict"]
    said = [line for line in finished.stderr.splitlines() if f"{call}() was never awaited" in line]
    assert len(said) == number, "once in each process"
    assert f"{LOCUSTFILES / 'forgotten.py'}, line " in said[0] and said[0].endswith("in talk")


def test_one_of_the_warm_up_counts_though_the_window_has_no_failure(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    """The load lacks what was not done, in every second."""
    finished = load(run_locust, serving, "on_start", more=("--ws-warm-up", "2s", "-t", "5s"))
    assert finished.run["window"]["from_s"] == 2 and finished.count("message") > 0
    assert finished.failures == {}
    assert finished.returncode == 3
    (warning,) = [each for each in finished.run["warnings"] if each["name"] == "forgotten-await"]
    assert warning["text"].startswith("2 calls in the user classes had no await")
    assert "Forgetful.helper" in finished.run["trust"]["verdict"]


def test_what_needs_no_await_is_no_failure(run_locust: Callable[..., Finished], serving: Serving) -> None:
    finished = load(run_locust, serving, "nowhere")
    assert not [name for name in finished.failures if name.startswith("forgotten")]
    assert "never awaited" not in finished.stderr


def test_canary_cpython_says_which_coroutine_was_forgotten() -> None:
    told = []

    async def dropped() -> None: ...

    before = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]
    try:
        compat.notice_forgotten(lambda coroutine, place: told.append((coroutine.__qualname__, place)) or True)
        dropped()
    finally:
        warnings._warn_unawaited_coroutine = before  # type: ignore[attr-defined]
    assert len(told) == 1, f"CPython {sys.version} tells of a coroutine that was never awaited in another way"
    assert told[0][0].endswith("dropped") and told[0][1].startswith(f"{__file__}, line ")


def test_canary_cpython_knows_the_caller() -> None:
    def call() -> str:
        return compat.place_of_caller()

    place = call()
    assert place.startswith(f"{__file__}, line ") and place.endswith(
        "in test_canary_cpython_knows_the_caller"
    )
