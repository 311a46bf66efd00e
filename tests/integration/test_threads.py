from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import LOCUSTFILES, Finished, processes
from support.serving import Serving, echo


@pytest.mark.parametrize("number", [1, 2])
def test_blocking_work_in_threads_returns_and_lets_the_process_end(
    run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path, number: int
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    options = ("-u", "12", "-r", "12", "-t", "4s", *processes(number))
    finished = run_locust("-f", LOCUSTFILES / "threaded.py", "--headless", "--host", host, *options)
    assert finished.returncode == 0
    seen = sum((Counter(json.loads(path.read_bytes())) for path in tmp_path.glob("seen-*.json")), Counter())
    assert set(seen) == {
        "on_start", "on_stop", "executor", "many", "asleep", "failing in a thread", "given up", "round trip"
    }  # fmt: skip
    assert seen["on_start"] == seen["on_stop"] == 11
    # A task that is cancelled at the end does not see its answer, which is waited for and counted.
    assert seen["round trip"] <= finished.count("message") <= seen["round trip"] + 12
    assert "Traceback" not in finished.stderr
