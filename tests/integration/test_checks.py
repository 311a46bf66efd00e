"""``--ws-check`` on real runs: the exit code, the last table and run.json say the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.locust_run import CHAT, Finished

SHORT = ["-f", CHAT, "--headless", "--only-summary", "-u", "5", "-r", "10", "-t", "3s"]


@pytest.mark.parametrize(
    ("expressions", "code", "passed"),
    [
        (["message.p50 < 50s", "failures < 1", "message.lost < 1"], 0, [True, True, True]),
        (["message.p50 < 50s", "message.p99.99 < 50s"], 3, [True, None]),
        (["message.p50 < 1us", "message.p99.99 < 50s"], 1, [False, None]),
        (['"sub first".p50 < 5s'], 1, [False]),
    ],
)
def test_the_exit_code_is_that_of_the_checks(
    run_locust: Callable[..., Finished], expressions: list[str], code: int, passed: list[bool | None]
) -> None:
    finished = run_locust(*SHORT, *(part for each in expressions for part in ("--ws-check", each)))
    checks = finished.run["checks"]
    assert [check["passed"] for check in checks] == passed
    assert [check["expression"] for check in checks] == expressions
    words = {True: "passed", False: "FAILED", None: "NOT JUDGED"}
    for check in checks:
        assert f"{words[check['passed']]}  {check['expression']}  (got {check['got']}" in finished.stdout
        assert bool(check["reason"]) == (check["passed"] is None or check["got"] == "no samples")
    if finished.run["trust"]["standing"] == "trusted":
        assert finished.returncode == code
