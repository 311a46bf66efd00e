"""Which received message answered which sent one, and how that can be told again. Pure.

In this order: Socket.IO's acknowledgements; a value of the request that its answer quotes (an id, or the text of
a chat's echo); an answer whose kind belongs to the request's (``subscribe``, ``subscribed``); and where all of a
connection's messages take turns, the order.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wsload.commands.har.frames import Frame, Path, Scalar, socket_io

_ID: Final = re.compile(
    r"(^|_|-)(id|ids|uid|uuid|guid|seq|ref|reference|nonce|cid|rid|tag|token|cursor|session|sid)$"
    r"|(Id|ID|Uid|Uuid|Seq|Ref|Nonce|Token|Cursor|Session)$"
)  # fmt: skip
"""Names of values that identify something."""
_FREE_TEXT: Final = re.compile(
    r"text|message|msg|body|content|name|username|nick|nickname|title|comment", re.IGNORECASE
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_QUOTING: Final = 0.8
"""A value that is not an id counts as a key if answers quote it for at least this share of the requests."""
MAX_QUOTES: Final = 50
"""Messages that are looked at for one value."""
_DAY_S: Final = 86_400
_MIN_STEM: Final = 4
"""Letters that the kinds of a request and its answer have in common, at the beginning."""


class Fresh(Enum):
    """How a new value is made for each request."""

    NUMBER = "the next number"
    DIGITS = "the next number, as text"
    UUID = "a new UUID"
    TOKEN = "new random letters"  # noqa: S105
    TEXT = "the text, with random letters added"
    SAME = "as recorded"


class How(Enum):
    """How an answer is recognized."""

    SOCKET_IO = "by what stands before Socket.IO's JSON"
    VALUE = "by a value that it quotes"
    KIND = "by its kind, which there is once"
    TURN = "by its turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where the value stands that an answer quotes."""

    sent: Path
    received: Path
    kinds: tuple[tuple[Path, str], ...]
    """The kinds of message that answer; empty for any."""
    first: bool
    """Whether several messages quote it, of which the first is the answer."""
    fresh: Fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What answered a request."""

    how: How
    at_s: float
    rule: Rule | None = None
    kind: tuple[Path, str] | None = None


def is_id(path: Path, frame: Frame | None = None) -> bool:
    """Whether the name of a value is that of an id, or in this message its place is an id's."""
    if frame is not None and frame.is_phoenix and path in ((0,), (1,)):
        return True
    names = [step for step in path if isinstance(step, str)]
    return bool(names) and isinstance(path[-1], str) and _ID.search(names[-1]) is not None


def time_unit(value: Scalar, at_s: float) -> int:
    """1000 for a time in ms that was then, 1 for one in seconds, 0 for what is no time."""
    if isinstance(value, str):
        return 0
    return next((unit for unit in (1000, 1) if abs(value / unit - at_s) < _DAY_S), 0)


def answers(frames: Sequence[Frame]) -> dict[int, Answer]:
    """The answers by the place of the request."""
    found = _acknowledged(frames)
    found |= _quoted(frames, {place for place in range(len(frames)) if place not in found})
    found |= _of_their_kind(frames, found)
    return found or _in_turn(frames)


def _acknowledged(frames: Sequence[Frame]) -> dict[int, Answer]:
    found = {}
    for place, frame in enumerate(frames):
        parts = socket_io(frame.head) if frame.message.sent else None
        if (
            not parts
            or parts["code"] != "4"
            or not (parts["type"] == "0" or (parts["type"] == "2" and parts["id"]))
        ):
            continue
        wanted = f"4{'0' if parts['type'] == '0' else '3'}{parts['namespace']}{parts['id']}"
        for later in frames[place + 1 :]:
            if not later.message.sent and later.head == wanted:
                found[place] = Answer(how=How.SOCKET_IO, at_s=later.at_s)
                break
    return found


def _quoted(frames: Sequence[Frame], places: set[int]) -> dict[int, Answer]:
    received: dict[tuple[bool, Scalar], list[tuple[int, Path]]] = defaultdict(list)
    groups: dict[object, list[int]] = defaultdict(list)
    for place, frame in enumerate(frames):
        if frame.message.sent:
            if place in places and frame.is_json and not frame.head:
                groups[frame.kind].append(place)
        else:
            for path, value in frame.leaves():
                there = received[isinstance(value, str), value]
                if len(there) < MAX_QUOTES:
                    there.append((place, path))
    found: dict[int, Answer] = {}
    for group in groups.values():
        found |= _of_group(frames, group, received)
    return found


def _of_group(
    frames: Sequence[Frame],
    group: Sequence[int],
    received: Mapping[tuple[bool, Scalar], Sequence[tuple[int, Path]]],
) -> dict[int, Answer]:
    """The answers of requests of one kind, by the value that is quoted best."""
    pairs: dict[tuple[Path, Path], dict[int, int]] = defaultdict(dict)
    values: dict[Path, list[Scalar]] = defaultdict(list)
    for place in group:
        frame = frames[place]
        for path, value in frame.leaves():
            values[path].append(value)
            there = received.get((isinstance(value, str), value), ())
            if time_unit(value, frame.at_s) or (there and there[0][0] < place) or (path, value) == frame.kind:
                continue  # a time, what the server said first, or the kind itself
            for later, where in there:
                if (where, value) != frames[later].kind and not (frame.is_phoenix and path == (0,)):
                    pairs[path, where].setdefault(place, later)
    ranked = []
    for (path, where), quoted in pairs.items():
        rank = _rank(path, values[path], frames[group[0]])
        enough = 1 if rank == 0 else _QUOTING * len(group)
        if rank < 3 and len(quoted) >= enough and len(set(values[path])) == len(values[path]):
            ranked.append((rank, -len(quoted), path != where, len(path), repr((path, where)), path, where))
    if not ranked:
        return {}
    rank, *_, path, where = min(ranked)
    quoted = pairs[path, where]
    kinds = {kind for later in quoted.values() if (kind := frames[later].kind) is not None}
    rule = Rule(
        sent=path,
        received=where,
        kinds=tuple(sorted(kinds, key=repr)) if rank else (),
        first=any(
            sum(there == where for _, there in received[isinstance(value, str), value]) > 1
            for value in (frames[place].at(path) for place in quoted)
        ),
        fresh=_fresh(rank, [frames[place].at(path) for place in quoted]),
    )
    return {
        place: Answer(how=How.VALUE, at_s=frames[later].at_s, rule=rule) for place, later in quoted.items()
    }


def _rank(path: Path, values: Sequence[Scalar], frame: Frame) -> int:
    """How well values tell requests apart: 0 ids, 1 free text, 2 other values, 3 not at all."""
    named = isinstance(path[-1], str)
    if is_id(path, frame) or all(isinstance(each, str) and _UUID.fullmatch(each) for each in values):
        return 0
    if _counting(values):
        return 2 if named else 0
    texts = all(isinstance(each, str) and len(each) >= 3 for each in values)
    if named and _FREE_TEXT.fullmatch(str(path[-1])) and texts:
        return 1
    return 2 if texts else 3


def _counting(values: Sequence[Scalar]) -> bool:
    texts = [str(value) for value in values]
    if len(texts) < 2 or not all(re.fullmatch(r"\d{1,15}", text) for text in texts):
        return False
    numbers = [int(text) for text in texts]
    return all(one < other for one, other in itertools.pairwise(numbers))


def _fresh(rank: int, values: Sequence[Scalar]) -> Fresh:
    if rank:
        return Fresh.TEXT if rank == 1 else Fresh.SAME
    if not all(isinstance(value, str) for value in values):
        return Fresh.NUMBER
    texts = [str(value) for value in values]
    if all(re.fullmatch(r"\d+", text) for text in texts):
        return Fresh.DIGITS
    return Fresh.UUID if all(map(_UUID.fullmatch, texts)) else Fresh.TOKEN


def _of_their_kind(frames: Sequence[Frame], known: Mapping[int, Answer]) -> dict[int, Answer]:
    """Requests whose kind and whose answer's begin alike, where there is one of each."""
    sent: dict[tuple[Path, str], list[int]] = defaultdict(list)
    received: dict[tuple[Path, str], list[int]] = defaultdict(list)
    for place, frame in enumerate(frames):
        if frame.kind is not None and not frame.head:
            (sent if frame.message.sent else received)[frame.kind].append(place)
    found = {}
    for (_, kind), places in sent.items():
        if len(places) > 1 or places[0] in known:
            continue
        for other, later in received.items():
            alike = kind != other[1] and kind[:_MIN_STEM] == other[1][:_MIN_STEM] and len(kind) >= _MIN_STEM
            if alike and len(later) == 1 and later[0] > places[0]:
                found[places[0]] = Answer(how=How.KIND, at_s=frames[later[0]].at_s, kind=other)
                break
    return found


def _in_turn(frames: Sequence[Frame]) -> dict[int, Answer]:
    """Where every request is followed by one message before the next, and there are some."""
    sent = [place for place, frame in enumerate(frames) if frame.message.sent]
    found: dict[int, Answer] = {}
    for place, following in itertools.pairwise([*sent, len(frames)]):
        if following - place != 2:
            return found if place == sent[-1] and following - place == 1 and len(found) > 1 else {}
        found[place] = Answer(how=How.TURN, at_s=frames[place + 1].at_s)
    return found
