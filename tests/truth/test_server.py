"""The misbehaving server does what it says, and its account is true, as a plain client sees it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.truth.server import BEHAVIOURS
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

TESTS = Path(__file__).parents[1]
REQUESTS = 110
EVERY_S = 0.02
AFTER_S = 2.2
"""So long after the last request everything has been answered that ever will be."""


class Seen:
    """What the client saw of one connection."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, dict[str, Any]]] = []
        self.sent: list[int] = []
        self.code: int | None = None

    def answers(self) -> list[dict[str, Any]]:
        return [message for _, message in self.messages if "id" in message]


async def talk(port: int, behaviour: str) -> Seen:
    seen = Seen()
    async with connect(f"ws://127.0.0.1:{port}/{behaviour}?{behaviour}", compression=None) as connection:

        async def ask() -> None:
            for number in range(REQUESTS):
                await connection.send(json.dumps({"id": number, "sent": time.monotonic_ns()}))
                seen.sent.append(number)
                await asyncio.sleep(EVERY_S)

        asking = asyncio.create_task(ask())
        try:
            async with asyncio.timeout(REQUESTS * EVERY_S + AFTER_S):
                async for data in connection:
                    seen.messages.append((time.monotonic_ns(), json.loads(data)))
        except (TimeoutError, ConnectionClosed):
            pass
        seen.code = connection.close_code
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    return seen


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Seen], dict[str, Any]]:
    """All behaviours at once, and the account of each."""
    path = tmp_path_factory.mktemp("truth") / "account.json"
    child = subprocess.Popen(
        [sys.executable, "-m", "support.truth.server", path], cwd=TESTS, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None

    async def all_of_them(port: int) -> list[Seen]:
        return await asyncio.gather(*(talk(port, behaviour) for behaviour in BEHAVIOURS))

    try:
        port = int(child.stdout.readline().split()[1])
        seen = dict(zip(BEHAVIOURS, asyncio.run(all_of_them(port)), strict=True))
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.communicate()
    return seen, json.loads(path.read_bytes())


Session = tuple[dict[str, Seen], dict[str, Any]]


def entries(session: Session, behaviour: str) -> list[dict[str, Any]]:
    return [entry for entry in session[1]["requests"] if entry["cell"] == behaviour]


def others(session: Session, behaviour: str) -> int:
    return sum(entry["cell"] == behaviour for entry in session[1]["others"])


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_account_is_what_the_client_saw(session: Session, behaviour: str) -> None:
    seen, account = session[0][behaviour], entries(session, behaviour)
    received = [entry["id"] for entry in account]
    assert received == seen.sent[: len(received)]
    assert len(received) == (REQUESTS if behaviour != "closes" else 20)
    copies = [entry["id"] for entry in account for _ in range(entry["copies"])]
    assert sorted(copies) == sorted(message["id"] for message in seen.answers())
    by_id = {entry["id"]: entry for entry in account}
    for at_ns, message in seen.messages:
        if "id" in message:
            entry = by_id[message["id"]]
            assert (entry["status"], entry["value"]) == (message["status"], message["value"])
            assert entry["sent"] <= entry["received"] <= entry["answered"] <= at_ns
    assert others(session, behaviour) >= len(seen.messages) - len(seen.answers())


def delays_ms(session: Session, behaviour: str) -> list[float]:
    account = entries(session, behaviour)
    return [(entry["answered"] - entry["received"]) / 1e6 for entry in account if entry["answered"]]


def order(session: Session, behaviour: str) -> list[int]:
    return [message["id"] for message in session[0][behaviour].answers()]


def test_plain_answers_all_in_order(session: Session) -> None:
    assert order(session, "plain") == list(range(REQUESTS))
    assert others(session, "plain") == 0
    assert min(delays_ms(session, "plain")) >= 4


def places_of_greetings(session: Session, behaviour: str) -> list[int]:
    messages = session[0][behaviour].messages
    return [place for place, (_, message) in enumerate(messages) if "greeting" in message]


def test_a_greeting_comes_first(session: Session) -> None:
    assert places_of_greetings(session, "greets") == [0]


def test_a_late_greeting_may_come_after_an_answer(session: Session) -> None:
    (place,) = places_of_greetings(session, "greets-late")
    assert place <= 2


def test_pushes_come_between_the_answers(session: Session) -> None:
    messages = [message for _, message in session[0]["pushes"].messages]
    assert sum("push" in message for message in messages) > REQUESTS / 2
    assert len(order(session, "pushes")) == REQUESTS


def test_any_order_is_not_the_order_asked_in(session: Session) -> None:
    assert sorted(order(session, "any-order")) == list(range(REQUESTS)) != order(session, "any-order")


def test_a_stall_holds_up_what_comes_meanwhile(session: Session) -> None:
    delays = delays_ms(session, "stalls")
    assert len(delays) == REQUESTS
    assert 150 < max(delays) < 260
    assert sorted(delays)[REQUESTS // 2] < 20


@pytest.mark.parametrize("behaviour", ["drops", "late", "repeats", "refuses"])
def test_some_are_treated_badly_and_most_are_not(session: Session, behaviour: str) -> None:
    account = entries(session, behaviour)
    bad = {
        "drops": [entry for entry in account if not entry["answered"]],
        "late": [entry for entry in account if entry["answered"] - entry["received"] > 1.5e9],
        "repeats": [entry for entry in account if entry["copies"] == 2],
        "refuses": [entry for entry in account if entry["status"] == "refused"],
    }[behaviour]
    assert len(bad) < REQUESTS / 2
    if behaviour != "late":  # one in thirty may well be none at all
        assert bad


def test_a_refusal_is_quick(session: Session) -> None:
    refused = [entry for entry in entries(session, "refuses") if entry["status"] == "refused"]
    assert max(entry["answered"] - entry["received"] for entry in refused) < 5e6


def test_closing_leaves_the_last_unanswered(session: Session) -> None:
    assert session[0]["closes"].code == 1012
    assert len(order(session, "closes")) < 20


def test_an_answer_and_its_push_come_together(session: Session) -> None:
    messages = session[0]["follows"].messages
    answers = [place for place, (_, message) in enumerate(messages) if "id" in message]
    assert len(answers) == REQUESTS
    gaps = [messages[place + 1][0] - messages[place][0] for place in answers]
    assert all("push" in messages[place + 1][1] for place in answers)
    assert sorted(gaps)[REQUESTS // 2] < 1e6
