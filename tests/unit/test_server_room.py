"""The chat room as plain values: what a message leads to, and for whom."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.server.room import QUIET_ROSTER_NAMES, Ignored, Member, Room, Send, To, without_tags


def say(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def told(sends: list[Send]) -> list[tuple[To, dict]]:
    return [(send.to, json.loads(send.data)) for send in sends]


def login(room: Room, name: str) -> tuple[Member, list[tuple[To, dict]]]:
    member, _ = room.enter(1)
    return member, told(room.receive(member, say(type="username", name=name, id=0, date=5), 7))


def test_a_newcomer_is_told_its_id() -> None:
    room = Room()
    member, sends = room.enter(7)
    assert told(sends) == [(To.SELF, {"type": "id", "id": member.id, "date": 7})]
    assert room.enter(8)[0].id != member.id


def test_a_login_is_a_roster_and_the_name_for_everyone() -> None:
    member, sends = login(Room(), "ada")
    assert sends == [
        (To.ALL, {"type": "userlist", "users": ["ada"]}),
        (To.ALL, {"type": "username", "name": "ada", "id": member.id, "date": 5}),
    ]
    assert member.name == "ada"


def test_a_taken_name_gets_a_number_and_its_owner_a_reject() -> None:
    room = Room()
    login(room, "ada")
    member, sends = login(room, "ada")
    assert sends == [
        (To.SELF, {"type": "rejectusername", "id": member.id, "name": "ada1", "date": 7}),
        (To.ALL, {"type": "userlist", "users": ["ada", "ada1"]}),
        (To.ALL, {"type": "username", "name": "ada1", "id": member.id, "date": 5}),
    ]
    assert (room.logins, room.renamed) == (2, 1)


def test_a_user_may_change_its_name_and_keep_it() -> None:
    room = Room()
    member, _ = login(room, "ada")
    room.receive(member, say(type="username", name="eve"), 0)
    assert room.names == ["eve"]
    sends = told(room.receive(member, say(type="username", name="eve"), 0))
    assert [message["type"] for _, message in sends] == ["userlist", "username"]
    assert room.renamed == 0


def test_a_post_goes_to_everyone_under_the_name_and_id_of_its_connection() -> None:
    room = Room()
    member, _ = login(room, "ada")
    post = say(type="message", text="1 <b>bold</b> 2", id="forged", date=5, extra={"kept": [True]})
    assert told(room.receive(member, post, 9)) == [
        (
            To.POST,
            {
                "type": "message",
                "text": "1 bold 2",
                "id": member.id,
                "date": 5,
                "extra": {"kept": [True]},
                "name": "ada",
            },
        )
    ]


def test_a_leave_frees_the_name_and_is_a_roster_for_the_rest() -> None:
    room = Room()
    ada, _ = login(room, "ada")
    login(room, "bob")
    assert room.leave(ada)
    assert json.loads(room.roster()) == {"type": "userlist", "users": ["bob"]}
    assert login(room, "ada")[0].name == "ada"


def test_who_never_logged_in_leaves_without_a_word() -> None:
    room = Room()
    member, _ = room.enter(0)
    assert not room.leave(member)


def test_a_quiet_room_tells_the_newcomer_only_and_not_everything() -> None:
    room = Room(quiet=True)
    for number in range(QUIET_ROSTER_NAMES + 10):
        member, sends = login(room, f"user{number}")
    assert {to for to, _ in sends} == {To.SELF}
    users = sends[0][1]["users"]
    assert len(users) == QUIET_ROSTER_NAMES
    assert users[:2] == [member.name, f"user{QUIET_ROSTER_NAMES + 8}"]
    assert sends[1][1]["name"] == member.name
    assert not room.leave(member)
    assert member.name is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"type":"message","text":"\xff"}', "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"text":"x"}', "no 'type'"),
        (say(type="dance"), "unknown type 'dance'"),
        (say(type="message", text=5), "without a text"),
        (say(type="message"), "without a text"),
        (say(type="username"), "without a name"),
        (say(type="username", name=""), "without a name"),
        (say(type="username", name=["x"]), "without a name"),
    ],
)
def test_what_is_no_message_is_ignored_with_a_reason(data: bytes, reason: str) -> None:
    room = Room()
    member, _ = login(room, "ada")
    with pytest.raises(Ignored, match=reason):
        room.receive(member, data, 0)
    assert room.names == ["ada"]


def test_a_post_before_the_login_is_ignored() -> None:
    room = Room()
    member, _ = room.enter(0)
    with pytest.raises(Ignored, match="before the login"):
        room.receive(member, say(type="message", text="x"), 0)


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("", ""),
        ("no tags", "no tags"),
        ("<b>x</b>", "x"),
        ("a < b", "a < b"),
        ("a > b", "a > b"),
        ("1 < 2 and 2 > 1", "1  1"),
        ("<>", "<>"),
        ("<<a>>", ">"),
        ("a<\nb>c", "ac"),
        ("><", "><"),
        ("<a><", "<"),
        ("<" * 100_000, "<" * 100_000),
        (">" + "<" * 100_000, ">" + "<" * 100_000),
    ],
)
def test_tags_are_taken_out_as_the_sample_server_does(text: str, stripped: str) -> None:
    assert without_tags(text) == stripped


@given(st.text(alphabet="<>ab \n"))
def test_nothing_but_tags_is_taken_out(text: str) -> None:
    stripped = without_tags(text)
    assert len(stripped) <= len(text)
    if "<" not in text or ">" not in text:
        assert stripped == text


@given(st.lists(st.tuples(st.sampled_from(["login", "leave"]), st.integers(0, 5), st.sampled_from("ab"))))
def test_names_are_unique_and_the_roster_is_who_is_there(steps: list[tuple[str, int, str]]) -> None:
    room = Room()
    members: dict[int, Member] = {}
    for step, who, name in steps:
        if step == "login":
            member = members.setdefault(who, room.enter(0)[0])
            room.receive(member, say(type="username", name=name), 0)
            assert member.name is not None
            assert member.name.startswith(name)
        elif who in members:
            room.leave(members.pop(who))
        names = [member.name for member in members.values()]
        assert sorted(room.names) == sorted(names)
        assert len(set(names)) == len(names)
        assert json.loads(room.roster()) == {"type": "userlist", "users": room.names}
