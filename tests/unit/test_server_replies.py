"""The reply path on a fake clock: who gets what and when, and that the account is the truth."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wsload.server.account import Account, Truth
from wsload.server.compat import Outgoing
from wsload.server.faults import GARBAGE, FaultPlan, Faults, parse_faults
from wsload.server.replies import HOLD_NS, Replies, Sender

MS = 1_000_000
GARBAGE_DATA = {data for data, _ in GARBAGE}


class World:
    """The loop, the timers and the clock that `Replies` lives by; time moves by `run_until`."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._soon: list[Callable[[], object]] = []
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()

    def now(self) -> int:
        return self.now_ns

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._soon.append(callback)

    def at(self, due_ns: int, callback: Callable[..., object], *args: object) -> Timer:
        timer = Timer(lambda: callback(*args))
        heapq.heappush(self._heap, (due_ns, next(self._order), timer))
        return timer

    def turn(self) -> None:
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()

    def run_until(self, time_ns: int) -> None:
        self.turn()
        while self._heap and self._heap[0][0] <= time_ns:
            due_ns, _, timer = heapq.heappop(self._heap)
            self.now_ns = max(self.now_ns, due_ns)
            timer.go()
            self.turn()
        self.now_ns = max(self.now_ns, time_ns)


class Timer:
    def __init__(self, go: Callable[[], object]) -> None:
        self.go = go

    def cancel(self) -> None:
        self.go = lambda: None


class FakePeer:
    """A connection that remembers what it was sent, and when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open = True
        self.got: list[tuple[int, bytes]] = []

    def deliver(self, message: Outgoing) -> bool:
        if self.open:
            self.got.append((self.world.now_ns, message.data))
        return self.open

    @property
    def data(self) -> list[bytes]:
        return [data for _, data in self.got]


class Setting:
    """A room of peers around a `Replies`."""

    def __init__(
        self, plan: FaultPlan | None, *, seed: int = 1, peers: int = 2, truth: Truth | None = None
    ) -> None:
        self.world = World()
        self.account = Account()
        self.peers = [FakePeer(self.world) for _ in range(peers)]
        self.lines = [Sender(peer=peer) for peer in self.peers]
        self.replies = Replies(
            loop=self.world,
            peers=self.peers,
            account=self.account,
            truth=truth,
            faults=None if plan is None else Faults(plan, seed=seed),
            timers=None if plan is None else self.world,
            now=self.world.now,
        )

    def post(self, who: int, data: bytes) -> None:
        self.replies.post(self.lines[who], data, data, self.world.now_ns)


def setting(*faults: str, **settings: int) -> Setting:
    return Setting(parse_faults(faults) if faults else None, **settings)


def test_a_post_goes_to_its_sender_at_once_and_to_the_others_in_the_next_turn() -> None:
    room = setting(peers=3)
    room.post(0, b"one")
    room.post(1, b"two")
    assert [peer.data for peer in room.peers] == [[b"one"], [b"two"], []]
    room.world.turn()
    assert [peer.data for peer in room.peers] == [[b"one", b"two"], [b"two", b"one"], [b"one", b"two"]]
    assert (room.account.posts, room.account.echoed, room.account.deliveries) == (2, 2, 4)


def test_a_closed_connection_gets_nothing_and_is_not_counted() -> None:
    room = setting(peers=3)
    room.peers[0].open = room.peers[2].open = False
    room.post(0, b"last words")
    room.world.turn()
    assert room.peers[1].data == [b"last words"]
    assert (room.account.unsent, room.account.echoed, room.account.deliveries) == (1, 0, 1)


def test_a_delay_is_pipelined() -> None:
    room = setting("delay=5ms")
    for _ in range(3):
        room.post(0, b"x")
        room.world.run_until(room.world.now_ns + MS)
    room.world.run_until(20 * MS)
    assert [at for at, _ in room.peers[0].got] == [5 * MS, 6 * MS, 7 * MS]


def test_a_stall_holds_everything_and_answers_it_in_order_at_its_end() -> None:
    room = setting("stall=200ms/2s")
    room.post(0, b"first")
    for time_ms in (1799, 1800, 1999):
        room.world.run_until(time_ms * MS)
        room.post(0, str(time_ms).encode())
    room.world.run_until(3000 * MS)
    assert room.peers[0].got == [
        (0, b"first"),
        (1799 * MS, b"1799"),
        (2000 * MS, b"1800"),
        (2000 * MS, b"1999"),
    ]
    assert room.account.reordered == 0


def test_a_reordered_post_comes_right_after_the_next_of_its_sender_and_one_at_a_time() -> None:
    room = setting("reorder=100%")
    room.post(0, b"1")
    room.post(1, b"other's")
    room.post(0, b"2")
    room.world.turn()
    assert room.peers[0].data == [b"2", b"1"]
    assert room.peers[1].data == [b"2", b"1"]
    assert (room.account.reordered, room.account.echoed) == (1, 2)


def test_a_post_that_nobody_overtakes_is_answered_all_the_same() -> None:
    room = setting("reorder=100%", "delay=5ms")
    room.post(0, b"1")
    room.world.run_until(10_000 * MS)
    assert room.peers[0].got == [(5 * MS + HOLD_NS, b"1")]
    assert (room.account.reordered, room.account.echoed) == (0, 1)


def test_what_is_held_back_for_one_who_left_goes_to_the_others() -> None:
    room = setting("reorder=100%")
    room.post(0, b"1")
    room.peers[0].open = False
    room.replies.release(room.lines[0])
    room.world.turn()
    assert room.peers[1].data == [b"1"]
    assert (room.account.unsent, room.account.echoed) == (1, 0)
    room.world.run_until(10_000 * MS)
    assert len(room.peers[1].got) == 1


def test_a_duplicate_is_a_second_one_for_everyone() -> None:
    room = setting("duplicate=100%")
    room.post(0, b"1")
    room.world.turn()
    assert room.peers[0].data == room.peers[1].data == [b"1", b"1"]
    assert (room.account.duplicated, room.account.echoed, room.account.deliveries) == (1, 1, 2)


def test_garbage_is_for_the_sender_besides_its_reply() -> None:
    room = setting("garbage=100%")
    for _ in GARBAGE:
        room.post(0, b"1")
    room.world.turn()
    assert set(room.peers[0].data) == {b"1"} | GARBAGE_DATA
    assert room.peers[1].data == [b"1"] * len(GARBAGE)
    assert room.account.garbage == len(GARBAGE)


def test_what_still_waits_when_the_server_stops_is_unsent() -> None:
    room = setting("delay=5ms", "reorder=50%")
    for _ in range(10):
        room.post(0, b"1")
    room.replies.close()
    room.world.run_until(10_000 * MS)
    assert room.peers[0].data == []
    assert (room.account.posts, room.account.unsent) == (10, 10)


def test_the_truth_file_says_what_happened_to_each(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    truth = Truth(path)
    room = Setting(parse_faults(["delay=5ms", "reorder=100%", "stall=1s/10s"]), truth=truth)
    token = "~ws.aaaaaaaa.bbbbbbbbbbbb.0000000f.00000000000000ff~"
    room.world.run_until(3)
    room.post(0, f'{{"text":"x {token} y"}}'.encode())
    room.post(0, b'{"text":"without"}')
    room.post(1, b'{"text":"~ws.aa"}')
    room.world.run_until(6 * MS)
    room.replies.close()
    truth.close(room.account)
    stalls, *posts, totals = [json.loads(line) for line in path.read_text().splitlines()]
    assert stalls == {"kind": "stalls", "origin_ns": 3}
    fields = ("token", "received_ns", "sent_ns", "wait_ns", "done")
    answered_ns = 5 * MS + 3
    assert [tuple(post[field] for field in fields) for post in posts] == [
        (None, 3, answered_ns, 5 * MS, ["echoed"]),
        (token, 3, answered_ns, 5 * MS, ["echoed", "reordered"]),
        (None, 3, None, 0, ["unsent"]),
    ]
    assert {post["kind"] for post in posts} == {"post"}
    assert totals == {"kind": "totals", **room.account.as_dict()}


shares = st.floats(0, 1 / 3)
plans = st.builds(
    FaultPlan,
    delay_ns=st.integers(1, 50 * MS),
    exponential=st.booleans(),
    stall_ns=st.integers(0, 20 * MS),
    period_ns=st.integers(21 * MS, 100 * MS),
    drop=shares,
    duplicate=shares,
    reorder=shares,
    garbage=st.floats(0, 1),
)
steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 30 * MS), st.sampled_from(["post"] * 9 + ["leave"])),
    max_size=60,
)


@given(plans, st.integers(), steps)
def test_the_account_is_what_the_connections_saw(
    plan: FaultPlan, seed: int, steps: list[tuple[int, int, str]]
) -> None:
    room = Setting(plan, seed=seed, peers=3)
    posted: dict[bytes, int] = {}
    for number, (who, pause_ns, step) in enumerate(steps):
        room.world.run_until(room.world.now_ns + pause_ns)
        if step == "leave":
            room.peers[who].open = False
            room.replies.release(room.lines[who])
        elif room.peers[who].open:
            data = f"{who}:{number:04d}".encode()
            posted[data] = room.world.now_ns
            room.post(who, data)
    room.world.run_until(room.world.now_ns + 100_000 * MS)
    seen: Counter[str] = Counter(posts=len(posted), garbage=0)
    for who, peer in enumerate(room.peers):
        copies: Counter[bytes] = Counter()
        highest = b""
        for at_ns, data in peer.got:
            if data in GARBAGE_DATA:
                seen["garbage"] += 1
                continue
            assert at_ns - posted[data] >= (1 if plan.exponential else plan.delay_ns)
            if not data.startswith(f"{who}:".encode()):
                seen["deliveries"] += 1
                continue
            copies[data] += 1
            if copies[data] == 2:
                seen["duplicated"] += 1
                continue
            seen["echoed"] += 1
            seen["reordered"] += data < highest
            highest = max(highest, data)
    account = room.account
    for name, count in seen.items():
        assert getattr(account, name) == count, name
    assert account.posts == account.echoed + account.dropped + account.unsent
