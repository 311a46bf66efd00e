"""Which message answers which request, against a model that knows: each message remembers what it truly answers.

The law for all of it: an answer that went to the wrong request leaves a doubt about that request's name by the time
that nothing is outstanding; a server that keeps to the rules leaves none.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.load.users.matching.findings import Doubt, Kind, Request
from wsload.load.users.matching.pairing import Pairing
from wsload.load.users.matching.recent import REMEMBERED
from wsload.load.users.matching.rules import LONG
from wsload.load.users.matching.rules import REMEMBERED as REMEMBERED_ANSWERS
from wsload.measure.names import Figures

NAME = Figures.of("ask")
OTHER = Figures.of("other")


class Message(str):
    """A message, and the number of the request that it truly answers; None for a push."""

    truth: int | None

    def __new__(cls, text: str, truth: int | None = None) -> Message:
        message = super().__new__(cls, text)
        message.truth = truth
        return message


class Client:
    """Makes requests and takes messages as a user's connection does, and remembers what was paired with what."""

    def __init__(self) -> None:
        self.pairing = Pairing()
        self.requests: list[Request] = []
        self.given: dict[int, Message] = {}
        """The answer that each request was given, by its number."""
        self.kinds: list[Kind] = []
        self.overlapped: set[str] = set()
        """Names of requests whose answer only the order tells, although several were outstanding."""
        self.now_ns = 0

    def ask(
        self, *, key: object = None, match: Callable[[Any], object] | None = None, name: Figures = NAME
    ) -> int:
        number = len(self.requests)
        self.now_ns += 1
        request = Request(name, self.now_ns, self.now_ns)
        request.data = f"ask {number}"
        if key is None:
            self.pairing.add_in_order(request, match)
        else:
            request.key = key
            self.pairing.add(request, key)
        self.requests.append(request)
        return number

    def arrive(self) -> int:
        """When a message arrives now."""
        self.now_ns += 1
        return self.now_ns

    def take(self, message: Message, key: object = None, at_ns: int | None = None) -> Kind:
        """Takes a message that arrives now, or arrived at ``at_ns`` and had to wait."""
        idle = not self.pairing.outstanding
        at_ns = self.arrive() if at_ns is None else at_ns
        found = self.pairing.receive(message, key, at_ns)
        assert self.pairing.error is None
        assert (found.kind is Kind.ANSWER) == (found.request is not None)
        if found.request is not None:
            assert not idle and found.request.sent_ns < at_ns, (
                "what was there before the request is never its answer"
            )
            self.given[self.requests.index(found.request)] = message
            if found.overlapped:
                self.overlapped.add(found.request.figures.name)
        if found.mixed_up:
            self.lose_connection()
        self.kinds.append(found.kind)
        return found.kind

    def lose_connection(self) -> None:
        """Gives up what is outstanding; the next request has a new connection."""
        for request in self.pairing:
            self.pairing.give_up(request, gone=True)
        self.pairing.end()
        doubts, self.pairing = self.pairing.doubts, Pairing()
        self.pairing.doubts = doubts

    def give_up_the_rest(self) -> None:
        for request in self.pairing:
            self.pairing.give_up(request)
        assert self.pairing.outstanding == 0
        self.pairing.end()

    @property
    def mistaken(self) -> set[str]:
        """Names of the requests that were given another's answer, or a push."""
        return {
            self.requests[number].figures.name
            for number, message in self.given.items()
            if message.truth != number
        }

    @property
    def doubted(self) -> set[str]:
        return {name for _, names in self.pairing.doubts for name in names}


# With keys


@given(st.data())
def test_keys_pair_in_any_order_whatever_else_comes(data: st.DataObject) -> None:
    client, sent, lost, answered, late = Client(), [], set(), set(), set()
    for _ in range(data.draw(st.integers(0, 60))):
        outstanding = sorted(set(sent) - lost - answered)
        action = data.draw(st.sampled_from(("ask", "answer", "again", "late", "unknown", "push", "give up")))
        if action == "ask":
            sent.append(client.ask(key=("k", len(sent))))
        elif action == "answer" and outstanding:
            number = data.draw(st.sampled_from(outstanding))
            assert client.take(Message("a", number), ("k", number)) is Kind.ANSWER
            answered.add(number)
        elif action == "again" and answered:
            number = data.draw(st.sampled_from(sorted(answered)))
            assert client.take(Message("a", number), ("k", number)) is Kind.DUPLICATE
        elif action == "late" and lost - late:
            number = data.draw(st.sampled_from(sorted(lost - late)))
            assert client.take(Message("a", number), ("k", number)) is Kind.LATE
            late.add(number)
        elif action == "unknown":
            assert client.take(Message("?"), ("x", 1)) is Kind.PUSH
        elif action == "push":
            assert client.take(Message("p"), None) is Kind.PUSH
        elif action == "give up" and outstanding:
            number = data.draw(st.sampled_from(outstanding))
            client.pairing.give_up(client.requests[number])
            lost.add(number)
        assert client.pairing.outstanding == len(set(sent) - lost - answered)
    client.give_up_the_rest()
    assert client.mistaken == set() and client.pairing.doubts == []
    assert client.given.keys() == answered


@given(st.data())
def test_a_key_used_again_is_right_or_doubted(data: st.DataObject) -> None:
    """The server answers each request once or twice, in order, at any later time; the client may have given up."""
    client, coming = Client(), deque()
    for _ in range(data.draw(st.integers(0, 40))):
        action = data.draw(st.sampled_from(("ask", "answer", "give up")))
        if action == "ask" and not client.pairing.outstanding:
            number = client.ask(key="ping")
            coming.extend([Message("pong", number)] * data.draw(st.sampled_from((1, 1, 1, 2))))
        elif action == "answer" and coming:
            client.take(coming.popleft(), "ping")
        elif action == "give up":
            for request in client.pairing:
                client.pairing.give_up(request)
    while coming:
        client.take(coming.popleft(), "ping")
    client.give_up_the_rest()
    assert client.mistaken <= client.doubted


def test_keys_are_not_remembered_for_ever() -> None:
    client = Client()
    for key in range(10 * REMEMBERED):
        client.ask(key=("answered", key))
        client.take(Message("a"), ("answered", key))
        client.pairing.give_up(client.requests[client.ask(key=("lost", key))])
    assert REMEMBERED <= len(client.pairing._answered) < 2 * REMEMBERED
    assert REMEMBERED <= len(client.pairing._lost) < 2 * REMEMBERED


# In order, told by the turn alone or by a match that fits every answer


class HasText:
    """A match that is an object."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, message: str) -> bool:
        return self.text in message


def _has(text: str, message: str) -> bool:
    return text in message


class Judge:
    def accepts(self, message: str) -> bool:
        return "answer" in message


JUDGE = Judge()
GENERAL: dict[str, Callable[[], Callable[[Any], object] | None]] = {
    "no match": lambda: None,
    "a lambda": lambda: lambda message: "answer" in message,
    "a lambda that captures": lambda text="answer": lambda message: text in message,
    "a lambda that captures a list": lambda: (lambda texts: lambda message: any(t in message for t in texts))(
        ["answer"]
    ),
    "a default": lambda: lambda message, text="answer": text in message,
    "partial": lambda: functools.partial(_has, "answer"),
    "an object": lambda: HasText("answer"),
    "a method": lambda: JUDGE.accepts,
    "a method of a new object": lambda: Judge().accepts,
}
"""Matches that fit every answer, each in the shape in which somebody may write it; made anew for each request."""


def in_order(data: st.DataObject, make_match: Callable[[], Any], *, drops: bool, adds: bool) -> Client:
    """A client whose server answers in order, but ``drops`` answers, or ``adds`` some and pushes, before or after."""
    client, coming, asked = Client(), deque(), 0
    text = data.draw(st.sampled_from(("answer", "answer {}")))  # all alike, or each its own

    def answer(number: int | None) -> Message:
        return Message(text.format(number), number)

    for _ in range(data.draw(st.integers(1, 40))):
        action = data.draw(st.sampled_from(("ask", "ask", "come", "come", "push")))
        if action == "ask":
            number = client.ask(match=make_match())
            asked += 1
            if not (drops and data.draw(st.booleans())):
                coming.append(answer(number))
                if adds and not data.draw(st.integers(0, 3)):
                    coming.append(Message(coming[-1]))  # once more: nobody's answer any more
        elif action == "come" and coming:
            client.take(coming.popleft())
        elif action == "push" and adds and asked:
            coming.insert(data.draw(st.integers(0, len(coming))), Message("answer of nobody"))
    while coming:
        client.take(coming.popleft())
    client.give_up_the_rest()
    return client


@pytest.mark.parametrize("shape", GENERAL)
@given(st.data())
def test_who_answers_in_order_is_paired_rightly_and_not_doubted(shape: str, data: st.DataObject) -> None:
    client = in_order(data, GENERAL[shape], drops=False, adds=False)
    assert client.given.keys() == set(range(len(client.requests)))
    assert client.mistaken == set() and client.pairing.doubts == []


@pytest.mark.parametrize("shape", GENERAL)
@given(st.data())
def test_messages_too_many_are_noticed_when_they_shifted_the_answers(shape: str, data: st.DataObject) -> None:
    client = in_order(data, GENERAL[shape], drops=False, adds=True)
    assert client.mistaken <= client.doubted
    assert all(doubt in (Doubt.UNASKED, Doubt.QUOTES_ANOTHER) for doubt, _ in client.pairing.doubts)


@pytest.mark.parametrize("shape", GENERAL)
@given(st.data())
def test_answers_too_few_are_noticed_when_they_shifted_the_answers(shape: str, data: st.DataObject) -> None:
    client = in_order(data, GENERAL[shape], drops=True, adds=False)
    assert client.mistaken <= client.doubted


def test_pushes_before_the_first_request_are_no_reason_for_doubt() -> None:
    client = Client()
    assert client.take(Message("welcome")) is Kind.PUSH
    number = client.ask()
    assert client.take(Message("answer", number)) is Kind.ANSWER
    assert client.pairing.doubts == [] and not client.mistaken


@pytest.mark.parametrize("shape", GENERAL)
def test_one_request_and_a_push_before_its_answer_are_enough(shape: str) -> None:
    """A user that opens, asks once and closes, as many do."""
    client = Client()
    number = client.ask(match=GENERAL[shape]())
    client.take(Message("answer of nobody"))
    client.take(Message("answer", number))
    client.give_up_the_rest()
    assert client.doubted == client.mistaken == {"ask"}


@pytest.mark.parametrize("shape", [*GENERAL, "a key"])
@given(st.data())
def test_what_waited_to_be_read_while_requests_were_sent_answers_none_of_them(
    shape: str, data: st.DataObject
) -> None:
    """The server answers in order and pushes, with a key at most when no request has it; messages are read later."""
    client, unanswered, arrived = Client(), deque(), deque()
    for _ in range(data.draw(st.integers(1, 40))):
        action = data.draw(st.sampled_from(("ask", "answer", "push", "read", "read")))
        if action == "ask" and not (shape == "a key" and client.pairing.outstanding):
            settings = {"key": "k"} if shape == "a key" else {"match": GENERAL[shape]()}
            unanswered.append(client.ask(**settings))
        elif action == "answer" and unanswered:
            arrived.append((Message("answer", unanswered.popleft()), client.arrive()))
        elif action == "push" and not (shape == "a key" and unanswered):
            arrived.append((Message("answer of nobody"), client.arrive()))
        elif action == "read" and arrived:
            message, at_ns = arrived.popleft()
            client.take(message, "k" if shape == "a key" else None, at_ns)
    while arrived:
        message, at_ns = arrived.popleft()
        client.take(message, "k" if shape == "a key" else None, at_ns)
    while unanswered:
        client.take(Message("answer", unanswered.popleft()), "k" if shape == "a key" else None)
    client.give_up_the_rest()
    assert client.mistaken <= client.doubted


@pytest.mark.parametrize("shape", GENERAL)
def test_what_arrived_before_the_first_request_is_no_reason_for_doubt(shape: str) -> None:
    client = Client()
    at_ns = client.arrive()
    number = client.ask(match=GENERAL[shape]())
    assert client.take(Message("answer of nobody"), at_ns=at_ns) is Kind.PUSH
    assert client.take(Message("answer", number)) is Kind.ANSWER
    client.give_up_the_rest()
    assert client.pairing.doubts == [] and not client.mistaken


# Several kinds of requests on one connection


def of_verb(verb: str) -> Callable[[str], bool]:
    return lambda message: message.startswith(verb)


MIXED: dict[str, tuple[Callable[[int], Callable[[Any], object] | None], str]] = {
    "any": (lambda _: None, "b"),
    "ok": (lambda _: lambda message: message.startswith("ok"), "ok a"),
    "ok a": (lambda _: lambda message: message.startswith("ok a"), "ok a again"),
    "B": (lambda _: TAKERS["a match"][0], "B"),
    "get": (lambda _: of_verb("get"), "get done"),
    "set": (lambda _: of_verb("set"), "set done"),
    "put": (lambda _: of_verb("put"), "put done"),
    "own": (lambda number: IsNumber(number), "own {}"),
}
"""By the name of a request: how its match is made, and how its answers read. Those of verbs share one code."""
VERBS = ("get", "set", "put")
PUSHED = ("ok", "ok ready", "ok a", "get x", "set x", "put x", "b", "B", "news")


def mixed(data: st.DataObject, names: tuple[str, ...], *, overlap: bool = False) -> Client:
    """Requests of these kinds, answered in order among pushes; at the end come some of each kind without pushes."""
    client, coming = Client(), deque()
    names = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple))

    def ask(name: str) -> None:
        make_match, text = MIXED[name]
        number = len(client.requests)
        client.ask(match=make_match(number), name=Figures.of(name))
        coming.append(Message(text.format(number), number))

    for _ in range(data.draw(st.integers(1, 40))):
        action = data.draw(st.sampled_from(("ask", "ask", "come", "come", "push")))
        if action == "ask" and (overlap or not client.pairing.outstanding):
            ask(data.draw(st.sampled_from(names)))
        elif action == "come" and coming:
            client.take(coming.popleft())
        elif action == "push":
            coming.insert(data.draw(st.integers(0, len(coming))), Message(data.draw(st.sampled_from(PUSHED))))
    for name in (*[None] * 2, *names * 4):
        while coming:
            client.take(coming.popleft())
        if name is not None and not client.pairing.outstanding:
            ask(name)
    while coming:
        client.take(coming.popleft())
    client.give_up_the_rest()
    return client


@given(st.data())
def test_one_match_for_several_verbs_is_right_or_doubted_whatever_is_pushed(data: st.DataObject) -> None:
    client = mixed(data, VERBS)
    assert client.mistaken <= client.doubted


@given(st.data())
def test_what_another_kind_of_request_was_given_is_right_or_doubted_too(data: st.DataObject) -> None:
    """One that takes any message, say, was given the surplus answer, and its own is the one too many."""
    client = mixed(data, tuple(MIXED))
    assert client.mistaken <= client.doubted
    assert "own" not in client.mistaken | client.doubted


@given(st.data())
def test_kinds_of_requests_that_overlap_are_right_or_marked(data: st.DataObject) -> None:
    client = mixed(data, tuple(MIXED), overlap=True)
    assert client.mistaken <= client.doubted | client.overlapped


TAKERS: dict[str, tuple[Callable[[Any], object] | None, str]] = {
    "no match": (None, "B"),
    "a match": (lambda message: message in ("ok a", "B"), "B"),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("shape", [shape for shape in GENERAL if shape != "no match"])
def test_who_was_given_anothers_answer_names_the_other_too(shape: str, taker: str) -> None:
    """What is one too many in the end is an answer that only the last one fits."""
    client, (match, answer) = Client(), TAKERS[taker]
    client.ask(name=Figures.of("a"), match=GENERAL[shape]())
    client.take(Message("answer of nobody"))
    client.ask(
        name=Figures.of("b"), match=match and (lambda message: match(message.replace("answer", "ok a")))
    )
    client.take(Message("answer", 0))
    client.take(Message(answer, 1))
    client.give_up_the_rest()
    assert client.doubted == client.mistaken == {"a", "b"}


def test_who_asked_before_may_still_be_given_anothers_answer() -> None:
    client, (match, answer) = Client(), TAKERS["a match"]
    client.ask(name=Figures.of("b"), match=match)
    client.ask(name=Figures.of("a"), match=lambda message: message.startswith("ok"))
    client.take(Message("ok ready"))
    client.take(Message("ok a", 1))
    client.take(Message(answer, 0))
    assert client.doubted == client.mistaken == {"a", "b"}


def test_who_takes_any_message_but_asked_before_took_nothing_from_later_requests() -> None:
    client = Client()
    client.ask(name=Figures.of("log in"))
    client.take(Message("welcome", 0))
    for number in range(1, 4):
        client.ask(match=lambda message: message.startswith("time"))
        client.take(Message("news"))
        client.take(Message("time 12:00", number))
    client.give_up_the_rest()
    assert client.mistaken == set() and client.doubted == {"log in"}


def test_a_surplus_answer_is_not_forgotten_while_matches_seem_to_be_for_one_request() -> None:
    client = Client()
    for number, verb in enumerate(("get", "set", "get")):
        if not number:
            client.ask(match=of_verb(verb))
            client.take(Message("get x"))
            client.take(Message("get done", 0))
        else:
            client.ask(match=of_verb(verb))
            client.take(Message(f"{verb} done", number))
        assert client.doubted == ({"ask"} if number == 2 else set())


@pytest.mark.parametrize("size", [1, 100 * LONG])
@pytest.mark.parametrize("verbs", range(1, 21))
def test_a_match_for_many_verbs_in_turn_is_found_to_prove_nothing(verbs: int, size: int) -> None:
    client = Client()
    for number in range(8 * verbs):
        client.ask(match=of_verb(f"verb {number % verbs} "))
        client.take(Message(f"verb {number % verbs} done {'x' * size}", number))
    assert client.pairing.by_turn


@pytest.mark.parametrize(("size", "kept"), [(1, REMEMBERED_ANSWERS), (100 * LONG, 2)])
def test_few_answers_are_kept_and_fewer_long_ones(size: int, kept: int) -> None:
    client = Client()
    for number in range(100):
        client.ask(match=IsNumber(number))
        client.take(Message(f"{'x' * size} {number}", number))
    (rule,) = client.pairing._rules.values()
    assert len(rule.matches) == REMEMBERED_ANSWERS and len(rule.answers) == kept


# In order, by matches that fit one request only


class IsNumber:
    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, message: str) -> bool:
        return message.split()[-1] == str(self.number)


SPECIFIC: dict[str, Callable[[int], Callable[[Any], object]]] = {
    "captures": lambda number: lambda message: message.split()[-1] == str(number),
    "default": lambda number: lambda message, number=number: message.split()[-1] == str(number),
    "partial": lambda number: functools.partial(lambda n, message: message.split()[-1] == str(n), number),
    "object": lambda number: IsNumber(number),
}


@pytest.mark.parametrize("shape", SPECIFIC)
@given(st.data())
def test_a_match_of_ones_own_pairs_in_any_order_whatever_else_comes(shape: str, data: st.DataObject) -> None:
    client, outstanding, lost = Client(), [], []
    for _ in range(data.draw(st.integers(1, 40))):
        action = data.draw(st.sampled_from(("ask", "answer", "twice", "push", "give up", "late")))
        if action == "ask":
            outstanding.append(client.ask(match=SPECIFIC[shape](len(client.requests))))
        elif action in ("answer", "twice") and outstanding:
            number = outstanding.pop(data.draw(st.integers(0, len(outstanding) - 1)))
            message = Message(f"answer {number}", number)
            assert client.take(message) is Kind.ANSWER
            if action == "twice":
                assert client.take(message) in (Kind.DUPLICATE, Kind.PUSH)
        elif action == "push":
            assert client.take(Message("news")) is Kind.PUSH
        elif action == "give up" and outstanding:
            number = outstanding.pop(0)
            rule = client.requests[number].rule
            assert rule is not None
            lost.append((number, rule.specific))
            client.pairing.give_up(client.requests[number])
        elif action == "late" and lost:
            number, proved = lost.pop()
            kind = client.take(Message(f"answer {number}", number))
            assert kind is Kind.LATE if proved else kind is not Kind.ANSWER
    answered = set(client.given)
    client.give_up_the_rest()
    assert client.mistaken == set()
    if len(answered) > 1:
        assert client.pairing.doubts == []


def test_whether_a_match_is_for_one_request_is_known_from_the_second_on() -> None:
    client = Client()
    for number in range(3):
        client.ask(match=SPECIFIC["captures"](number))
        assert client.requests[number].by_turn == (number == 0)
        client.take(Message(f"answer {number}", number))
    assert not client.pairing.by_turn


def test_once_a_match_fits_anothers_answer_it_proves_nothing_any_more() -> None:
    client = Client()
    for number, wanted in enumerate((0, 1, 1, 3)):
        client.ask(match=SPECIFIC["captures"](wanted))
        client.take(Message(f"answer {wanted}", number))
    assert client.pairing.by_turn


# Both, and what concerns whom


@given(st.data())
def test_a_match_that_returns_is_never_given_what_came_late(data: st.DataObject) -> None:
    """One match for a few verbs in turn rejects the last answer each time, and yet is not for one request only."""
    client, coming = Client(), deque()
    for _ in range(data.draw(st.integers(0, 40))):
        action = data.draw(st.sampled_from(("ask", "ask", "come", "come", "give up")))
        connection = client.pairing
        if action == "ask" and not connection.outstanding:
            verb = data.draw(st.sampled_from(("add", "pay", "get")))
            number = client.ask(match=lambda message, verb=verb: message.startswith(verb))
            if data.draw(st.integers(0, 3)):
                coming.append(Message(f"{verb} done", number))
        elif action == "come" and coming:
            client.take(coming.popleft())
        elif action == "give up":
            for request in connection:
                connection.give_up(request)
                if request.by_turn:
                    client.lose_connection()
        if client.pairing is not connection:
            coming.clear()
    assert client.mistaken == client.doubted == set()


def test_a_late_answer_is_never_given_to_who_takes_any_message() -> None:
    client = Client()
    for number in range(3):
        client.ask(match=SPECIFIC["captures"](number))
        if number < 2:
            client.take(Message(f"answer {number}", number))
    client.pairing.give_up(client.requests[2])
    client.ask(name=OTHER)
    assert client.take(Message("answer 2", 2)) is Kind.LATE
    assert client.mistaken == set() and not client.pairing.outstanding, "nobody knows whose it is"


def test_a_doubt_concerns_the_requests_that_it_may_have_shifted() -> None:
    client = Client()
    client.ask(name=OTHER, match=lambda message: message.startswith("other"))
    client.take(Message("other", 0))
    client.ask(match=lambda message: message.startswith("answer"))
    client.take(Message("answer", 1))
    client.take(Message("answer again"))
    assert client.doubted == {"ask"}
    client.take(Message("news"))
    assert client.doubted == {"ask"}
    client.take(Message("other again"))
    assert client.doubted == {"ask", "other"}


def test_a_message_with_an_unknown_key_may_answer_who_is_told_by_the_turn() -> None:
    client = Client()
    client.ask(key=7)
    client.ask()
    assert client.take(Message("a", 1), key=99) is Kind.ANSWER
    assert client.take(Message("a", 0), key=7) is Kind.ANSWER
    assert client.mistaken == set()
    client.take(Message("a"), key=100)
    assert client.doubted == {"ask"}


def test_a_match_that_fails_is_said_and_hinders_nobody_else() -> None:
    def broken(message: str) -> bool:
        raise KeyError("id")

    client = Client()
    client.ask(match=broken)
    client.ask(match=lambda message: "answer" in message)
    found = client.pairing.receive("answer", None, client.arrive())
    assert found.request is client.requests[1]
    assert isinstance(client.pairing.error, KeyError)


def test_what_was_outstanding_when_the_connection_went_is_no_reason_for_doubt() -> None:
    client = Client()
    for _ in range(3):
        client.ask()
    client.take(Message("answer", 0))
    for request in client.pairing:
        client.pairing.give_up(request, gone=True)
    client.pairing.end()
    assert client.pairing.doubts == []


@pytest.mark.parametrize(
    ("sent", "answers", "overlapped"),
    [
        (("order apples", "order pears"), ("apples are ordered", "pears are ordered"), [False, False]),
        (("order apples", "order pears"), ("ordered", "ordered"), [True, True]),
        (("order apples", "order apples"), ("apples are ordered", "apples are ordered"), [True, True]),
        (('{"type":"report"}', '{"type":"ping"}'), ('{"type":"result"}', '{"type":"result"}'), [True, True]),
        (("order apples", "order pears"), ("apples are ordered, no pears left", "pears"), [True, True]),
        (("order apples", "order pears"), ("ordered", "pears are ordered"), [True, True]),
        (("order apples", "order pears"), ("apples", "pears, after apples"), [False, False]),
        (("order",), ("ordered",), [False]),
    ],
    ids=[
        "quoted",
        "opaque",
        "alike",
        "a word of both",
        "quotes both",
        "after an unproved one",
        "looks back",
        "alone",
    ],
)
def test_an_answer_that_quotes_its_own_request_alone_is_proved(
    sent: tuple[str, ...], answers: tuple[str, ...], overlapped: list[bool]
) -> None:
    pairing = Pairing()
    for text in sent:
        request = Request(Figures.of("ask"), 0, 0)
        request.data = text
        pairing.add_in_order(request, None)
    assert [pairing.receive(answer, None, 1).overlapped for answer in answers] == overlapped
    assert pairing.doubts == []


@given(st.data())
def test_answers_of_requests_that_overlapped_are_right_or_marked(data: st.DataObject) -> None:
    """Each answer quotes its own request, or nothing but what all requests have in common; and perhaps others."""
    client, coming, number = Client(), [], 0
    quoting = data.draw(st.booleans())
    marked: set[str] = set()
    for _ in range(data.draw(st.integers(0, 30))):
        if data.draw(st.booleans()):
            number = client.ask(name=Figures.of(f"name {len(client.requests)}"))
            client.requests[number].data = f"order item-{number}"
            others = data.draw(st.lists(st.integers(0, number), max_size=2))
            quoted = [f"item-{each}" for each in (number, *others)] if quoting else []
            coming.append(Message(" ".join(["order", *quoted]), number))
        elif coming:
            message = coming.pop(data.draw(st.integers(0, len(coming) - 1)))
            found = client.pairing.receive(message, None, client.arrive())
            assert found.request is not None
            client.given[client.requests.index(found.request)] = message
            if found.overlapped:
                marked.add(found.request.figures.name)
    assert client.mistaken <= marked | client.doubted


@given(st.data())
def test_what_is_left_without_an_answer_is_no_doubt_while_the_others_quote_theirs(
    data: st.DataObject,
) -> None:
    """The last requests of an overlap have no answer by the end, or in time."""
    client, unanswered = Client(), 0
    match = GENERAL[data.draw(st.sampled_from(sorted(GENERAL)))]
    for _ in range(data.draw(st.integers(0, 30))):
        if data.draw(st.booleans()):
            client.requests[client.ask(match=match())].data = f"order item-{len(client.requests)}"
            unanswered += 1
        elif unanswered:
            number = len(client.requests) - unanswered
            client.take(Message(f"answer item-{number}", number))
            unanswered -= 1
    client.give_up_the_rest()
    assert client.mistaken == set() and client.pairing.doubts == []


@pytest.mark.parametrize("shape", GENERAL)
@given(st.data())
def test_answers_that_no_quote_proves_are_right_or_marked_whatever_is_left_without_one(
    shape: str, data: st.DataObject
) -> None:
    """Two kinds of requests overlap; the server drops answers, and quotes requests or not."""
    client, coming, marked = Client(), [], set()
    quoting = data.draw(st.booleans())
    if data.draw(st.booleans()):  # so that it is known from the first that the matches prove nothing
        client.ask(match=GENERAL[shape]())
        client.take(Message("answer", 0))
    for _ in range(data.draw(st.integers(0, 30))):
        if data.draw(st.booleans()):
            number = len(client.requests)
            match = GENERAL[shape]() if data.draw(st.booleans()) else None
            client.ask(name=Figures.of(f"name {number}"), match=match)
            client.requests[number].data = f"order item-{number}"
            if data.draw(st.integers(0, 3)):
                coming.append(Message(f"answer item-{number}" if quoting else "answer", number))
        elif coming and client.pairing.outstanding:
            message = coming.pop(data.draw(st.integers(0, len(coming) - 1)))
            found = client.pairing.receive(message, None, client.arrive())
            assert found.request is not None
            client.given[client.requests.index(found.request)] = message
            if found.overlapped:
                marked.add(found.request.figures.name)
    client.give_up_the_rest()
    assert client.mistaken <= marked | client.doubted


def test_an_answer_that_quotes_a_request_that_was_answered_before_is_a_doubt() -> None:
    """The first one was taken for proved, by a word that means nothing."""
    client = Client()
    client.requests[client.ask(name=OTHER)].data = '{"type":"report"}'
    client.requests[client.ask()].data = '{"cmd":"ping"}'
    client.take(Message('{"type":"result"}', 1))
    client.take(Message('{"type":"result"}', 0))
    assert client.doubted == client.mistaken == {"ask", "other"}


def test_what_overlapped_is_forgotten_once_nothing_is_outstanding() -> None:
    client = Client()
    for _ in range(2):
        for text in ("order apples", "order pears"):
            client.requests[client.ask()].data = text
        assert [
            client.pairing.receive(text, None, client.arrive()).overlapped for text in ("apples", "pears")
        ] == [
            False,
            False,
        ]


def test_an_answer_that_quotes_anothers_request_is_a_doubt_at_once() -> None:
    client = Client()
    for text in ("order apples", "order pears"):
        client.requests[client.ask()].data = text
    client.take(Message("pears are ordered", 1))
    assert client.pairing.doubts == [(Doubt.QUOTES_ANOTHER, {"ask"})]


def test_a_doubt_about_requests_concerns_the_steps_around_them() -> None:
    pairing = Pairing()
    assert set(pairing.concerned({"buy"})) == {"buy"}
    pairing.part_of("buy", ["check out", "visit"])
    pairing.part_of("buy", ["check out", "return"])
    pairing.part_of("sell", ["trade"])
    assert set(pairing.concerned(["buy", "look"])) == {"buy", "look", "check out", "visit", "return"}
    assert set(pairing.concerned(("look",))) == {"look"}
