"""The truth file: what it holds, and what becomes of it when it can't be written."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.server.account import Account, Truth

FULL = Path("/dev/full")


@given(st.binary())
def test_nothing_a_client_sends_can_break_the_truth_file(junk: bytes) -> None:
    token = b"~ws.aaaaaaaa.bbbbbbbbbbbb.0000000f.00000000000000ff~"
    with TemporaryDirectory() as directory:
        path = Path(directory, "truth.jsonl")
        truth = Truth(path)
        truth.post(junk, 1, None, 0, ["dropped"])
        truth.post(junk + b'~ws."\n' + token[6:] + b" " + token, 1, 2, 0, ["echoed", "garbage"])
        truth.close(Account())
        first, second, _ = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {
        "kind": "post",
        "token": None,
        "received_ns": 1,
        "sent_ns": None,
        "wait_ns": 0,
        "done": ["dropped"],
    }
    assert (second["token"], second["done"]) == (token.decode(), ["echoed", "garbage"])


def test_it_is_written_while_the_server_runs(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"

    async def scene() -> None:
        truth = Truth(path)
        over = asyncio.Event()
        truth.note("start", seed=1)
        flushing = asyncio.create_task(truth.flush_until(over))
        await asyncio.sleep(0)
        over.set()
        await flushing
        assert json.loads(path.read_text()) == {"kind": "start", "seed": 1}
        truth.close(Account(opens=3))
        assert json.loads(path.read_text().splitlines()[1])["opens"] == 3

    asyncio.run(scene())


def test_a_file_that_cannot_be_opened_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--truth '.*': Is a directory"):
        Truth(tmp_path)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_as_it_is() -> None:
    truth = Truth(FULL)
    truth.note("start")
    with pytest.raises(UsageError, match=r"--truth '/dev/full': No space left on device"):
        asyncio.run(truth.flush_until(asyncio.Event()))
