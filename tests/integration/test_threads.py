from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import LOCUSTFILES, Finished
from support.serving import Serving, echo


@pytest.mark.parametrize("processes", [1, 2])
def test_blocking_work_in_threads_returns_and_lets_the_process_end(
    run_locust: Callable[..., Finished], serving: Serving, tmp_path: Path, processes: int
) -> None:
    host = f"ws://127.0.0.1:{serving.websocket(echo)}"
    options = ("-u", "12", "-r", "12", "-t", "4s", *(("--processes", "2") if processes > 1 else ()))
    finished = run_locust("-f", LOCUSTFILES / "threaded.py", "--headless", "--host", host, *options)
    assert finished.returncode == 0
    seen = sum((Counter(json.loads(path.read_bytes())) for path in tmp_path.glob("seen-*.json")), Counter())
    assert set(seen) == {
        "on_start", "on_stop", "executor", "many", "asleep", "failing in a thread", "given up", "round trip"
    }  # fmt: skip
    assert seen["on_start"] == seen["on_stop"] == 11
    assert finished.count("message") == seen["round trip"]
    assert "Traceback" not in finished.stderr
