"""Feeds under the real locust, in one process and shared out over several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.locust_run import LOCUSTFILES, Finished, processes
from support.serving import Serving, echo
from websockets.asyncio.server import ServerConnection

ROWS = 12


def load(
    run_locust: Callable[..., Finished], serving: Serving, number: int, users: int
) -> tuple[Finished, Counter[str]]:
    asked: Counter[str] = Counter()

    async def note(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked[connection.request.path.partition("?")[2]] += 1
        await echo(connection)

    finished = run_locust(
        *("-f", LOCUSTFILES / "feeds.py", "--headless", "-u", str(users), "-r", str(users), "-t", "3s"),
        *("--host", f"ws://127.0.0.1:{serving.websocket(note)}", *processes(number)),
    )
    return finished, asked


@pytest.fixture
def accounts(tmp_path: Path) -> set[str]:
    names = [f"name-{number}" for number in range(ROWS)]
    (tmp_path / "accounts.csv").write_text("\n".join(["name", *names]), "utf-8")
    return {f"buyer={name}" for name in names}


@pytest.mark.parametrize("number", [1, 3])
def test_as_many_users_as_rows_have_all_of_them_once(
    run_locust: Callable[..., Finished], serving: Serving, accounts: set[str], number: int
) -> None:
    finished, asked = load(run_locust, serving, number, 2 * ROWS)
    assert finished.returncode == 0, finished.stderr
    assert {each: asked[each] for each in asked if each.startswith("buyer")} == dict.fromkeys(accounts, 1)
    assert {each: asked[each] for each in asked if each.startswith("seller")} == {
        f"seller={shop}": ROWS // 2 for shop in "ab"
    }
    assert finished.failures == {}


def test_users_for_whom_no_row_is_left_end_and_the_run_says_so(
    run_locust: Callable[..., Finished], serving: Serving, accounts: set[str]
) -> None:
    finished, asked = load(run_locust, serving, 2, 2 * (ROWS + 3))
    assert {each for each in asked if each.startswith("buyer")} == accounts
    assert finished.failures == {"feed account: no row left": 3}
    assert [warning["text"] for warning in finished.run["warnings"] if warning["name"] == "users-ended"] == [
        "3 users ended early (--no-ws-reconnect, or an error in the user class)"
    ]
    assert f"accounts.csv has {ROWS} rows, each for one user" in finished.stderr
