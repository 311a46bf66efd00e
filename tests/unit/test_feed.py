"""Feeds: what can be read, who is given which row, and that no row is given twice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust import constant, task
from locust.exception import StopUser
from world import World, world

from wsload import UsageError, WebSocketUser, feed
from wsload.load.users.context.feed import Feed, Order, Rows


def guest(found: list[Any], **feeds: Any) -> type[WebSocketUser]:
    """A user class that notes what it was given, and leaves."""

    class Guest(WebSocketUser):
        wait_time = constant(0)
        account: Any

        async def on_opening(self) -> None:
            found.append(self.account)

        @task
        async def leave(self) -> None:
            assert self.account == found[-1] or self.account in found
            raise StopUser

    return type("Guest", (Guest,), feeds)


def arrivals(user_class: type[WebSocketUser], count: int, here: World) -> None:
    here.serve()
    for _ in range(count):
        here.live(user_class)


def test_each_user_has_a_row_of_its_own_for_its_whole_life() -> None:
    found: list[Any] = []
    with world() as here:
        arrivals(guest(found, account=feed([{"name": "ann"}, {"name": "bob"}])), 2, here)
    assert found == [{"name": "ann"}, {"name": "bob"}]


def test_a_user_for_whom_no_row_is_left_ends_and_is_counted() -> None:
    found: list[Any] = []
    with world() as here:
        arrivals(guest(found, account=feed(["ann"])), 3, here)
        assert found == ["ann"]
        assert here.failures() == {"feed account: no row left": 2}
        assert here.counter("users_ended") == 2
        assert here.opened == 1
    assert here.texts[0] == (
        "Guest, account: the feed has 1 row, each for one user, and this is user 2: add rows, or use "
        "order='circular' to start over, or order='random'"
    )


def test_a_circular_feed_begins_anew() -> None:
    found: list[Any] = []
    with world() as here:
        arrivals(guest(found, account=feed(["a", "b"], order="circular")), 5, here)
    assert found == ["a", "b", "a", "b", "a"]


def test_a_random_feed_gives_any() -> None:
    found: list[Any] = []
    with world() as here:
        arrivals(guest(found, account=feed(range(3), order="random")), 20, here)
    assert set(found) <= set(range(3)) and len(found) == 20


def test_classes_that_share_a_feed_share_its_rows_and_a_run_begins_anew() -> None:
    found: list[Any] = []
    shared = feed(["a", "b", "c"])
    with world() as here:
        arrivals(guest(found, account=shared), 2, here)
        here.live(guest(found, account=shared))
        here.context.rows.begin()
        here.live(guest(found, account=shared))
    assert found == ["a", "b", "c", "a"]


def test_a_feed_is_the_same_wherever_its_files_are_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for checkout in ("a", "b"):
        monkeypatch.setattr("wsload.load.users.context.feed._numbers", itertools.count(1))
        (tmp_path / checkout).mkdir()
        path = tmp_path / checkout / "rows.json"
        path.write_text("[1]")
        found.append([feed(path).id, feed(str(path)).id, feed([1]).id, feed([1]).id])
    assert found[0] == found[1] and len(set(found[0])) == 4


def test_a_row_is_there_from_on_opening_on() -> None:
    user_class = guest([], account=feed(["a"]))
    with world() as here:
        here.serve()
        with pytest.raises(UsageError, match="when it starts: use it in on_opening or later"):
            _ = here.user(user_class).account


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        (
            "a.csv",
            'name,word\nann,s3\n\nbob,"a,\nb"\n',
            [{"name": "ann", "word": "s3"}, {"name": "bob", "word": "a,\nb"}],
        ),
        ("a.csv", "\ufeffname\r\nann\r\n", [{"name": "ann"}]),
        ("a.json", '[1, {"a": 2}]', [1, {"a": 2}]),
        ("a.jsonl", '{"a": 1}\n\n[2]\n', [{"a": 1}, [2]]),
    ],
)
def test_files_that_can_be_read(tmp_path: Path, name: str, text: str, rows: list[Any]) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert feed(tmp_path / name).rows == rows
    assert feed(str(tmp_path / name)).rows == rows


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "name\n", "has no rows"),
        ("a.csv", "", "has no rows"),
        ("a.csv", "name,word\nann\n", "line 2: 1 value for 2 names"),
        ("a.json", "{}", "the file must contain a list"),
        ("a.json", "[1", "a.json: "),
        ("a.jsonl", "1\nx", "a.jsonl: "),
        ("a.xml", "<a/>", "only .csv, .json and .jsonl files can be read"),
        ("b.csv", "", "has no rows"),
    ],
)
def test_files_that_can_not(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"^feed: ") as raised:
        feed(tmp_path / name)
    assert says in str(raised.value)


def test_a_missing_file_is_named_with_where_it_was_looked_for() -> None:
    with pytest.raises(UsageError) as raised:
        feed("nowhere.csv")
    assert str(raised.value) == f"feed: nowhere.csv (in {Path.cwd()}): No such file or directory"


def test_an_order_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="order='sorted': must be one of once, circular, random"):
        feed([1], order="sorted")


class Master:
    """Answers what workers ask, sooner or later."""

    def __init__(self) -> None:
        self.next = 0
        self.asked: list[Callable[[], None]] = []
        self.questions = 0

    def worker(self) -> Rows:
        rows = Rows()

        def ask(name: str, count: int) -> None:
            self.questions += 1
            self.asked.append(lambda: self.answer(rows, name, count))

        rows.ask = ask
        return rows

    def answer(self, rows: Rows, name: str, count: int) -> None:
        first, self.next = self.next, self.next + count
        rows.given(name, first, count)


@given(st.lists(st.sampled_from(["arrive 0", "arrive 1", "leave 0", "leave 1", "answer"]), max_size=60))
def test_law_no_number_is_given_twice_and_nobody_waits_for_ever(steps: list[str]) -> None:
    async def live() -> None:
        master = Master()
        workers = [master.worker(), master.worker()]
        users: list[list[asyncio.Task[int]]] = [[], []]
        for step in steps:
            what, _, which = step.partition(" ")
            if what == "arrive":
                users[int(which)].append(asyncio.ensure_future(workers[int(which)].number("f")))
            elif what == "leave" and users[int(which)]:
                users[int(which)].pop().cancel()
            elif what == "answer" and master.asked:
                master.asked.pop(0)()
            await asyncio.sleep(0)
        while master.asked:
            master.asked.pop(0)()
        found = await asyncio.gather(*users[0], *users[1])
        assert len(set(found)) == len(found)

    asyncio.run(live())


def test_many_who_arrive_together_are_asked_for_together() -> None:
    async def live() -> None:
        master = Master()
        rows = master.worker()
        users = [asyncio.ensure_future(rows.number("f")) for _ in range(100)]
        while not all(user.done() for user in users):
            await asyncio.sleep(0)
            while master.asked:
                master.asked.pop(0)()
        assert sorted(user.result() for user in users) == list(range(100))
        assert master.questions == 2

    asyncio.run(live())


def test_a_master_can_be_asked_for_rows_whatever_the_file_is_called() -> None:
    assert Feed(["ann"], "/data/caf\udce9.csv", Order.ONCE).id.endswith(" caf?.csv")
