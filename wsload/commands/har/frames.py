"""What a recorded message is made of: JSON, perhaps behind the digits of Socket.IO; else text or bytes. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from wsload.commands.har.recording import Message

Path = tuple[str | int, ...]
"""The way to a value inside JSON: ``("params", 0)``."""
Scalar = str | int | float

DEEPEST: Final = 12
MAX_LEAVES: Final = 300
_KINDS: Final = ("type", "event", "method", "op", "action", "cmd", "command", "kind", "msg", "messageType")
"""Keys whose value says what a message is."""
RECORD_END: Final = "\x1e"
"""Ends each SignalR message."""
_SOCKET_IO: Final = re.compile(r"(?P<code>\d)(?P<type>\d?)(?P<namespace>(?:/[^,]*,)?)(?P<id>\d*)")
NO_JSON: Final = object()


@dataclass(frozen=True, slots=True)
class Frame:
    """A message, taken apart."""

    message: Message
    head: str
    """The text before the JSON."""
    tail: str
    """The text after the JSON."""
    value: Any
    """The JSON; `NO_JSON` where there is none, or none that could be written again."""

    @property
    def at_s(self) -> float:
        """Seconds since the epoch."""
        return self.message.at_s

    @property
    def is_json(self) -> bool:
        """Whether there is JSON in it."""
        return self.value is not NO_JSON

    @property
    def kind(self) -> tuple[Path, str] | None:
        """The value that says what it is, such as ``subscribe``, and where it stands."""
        if isinstance(self.value, dict):
            for key in _KINDS:
                found = self.value.get(key)
                if isinstance(found, str) and found:
                    return (key,), found
        place = 3 if self.is_phoenix else 0
        if isinstance(self.value, list) and self.value and isinstance(self.value[place], str):
            return (place,), self.value[place]
        return None

    @property
    def is_phoenix(self) -> bool:
        """Whether it is one of Phoenix's: ``[join reference, reference, topic, event, payload]``."""
        found = self.value
        return (
            isinstance(found, list) and len(found) == 5 and all(isinstance(each, str) for each in found[2:4])
        )

    def leaves(self) -> Iterator[tuple[Path, Scalar]]:
        """Every text and number in it, with its path; a few hundred at most."""
        if self.is_json:
            for number, leaf in enumerate(_leaves(self.value, ())):
                if number >= MAX_LEAVES:
                    return
                yield leaf

    def at(self, path: Path) -> Any:
        """The value at a path; None where there is none."""
        found = self.value
        for step in path:
            if isinstance(step, str):
                found = found.get(step) if isinstance(found, dict) else None
            else:
                found = found[step] if isinstance(found, list) and step < len(found) else None
        return found


def frame(message: Message, *, socket_io: bool) -> Frame:
    """The message taken apart."""
    if isinstance(message.data, bytes):
        return Frame(message, "", "", NO_JSON)
    found = _SOCKET_IO.match(message.data) if socket_io else None
    head = found[0] if found else ""
    rest = message.data[len(head) :]
    tail = RECORD_END if rest.endswith(RECORD_END) else ""
    if rest[:1] not in ("{", "["):
        return Frame(message, message.data if socket_io else "", "", NO_JSON)
    try:
        value = json.loads(rest.removesuffix(tail), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Frame(message, "", "", NO_JSON)
    return Frame(message, head, tail, value) if writable(value) else Frame(message, "", "", NO_JSON)


def socket_io(head: str) -> re.Match[str] | None:
    """The parts of what stands before a Socket.IO packet's JSON: code, type, namespace, id."""
    return _SOCKET_IO.fullmatch(head)


def writable(value: Any, depth: int = 0) -> bool:
    """Whether `repr` gives a literal that Python reads as the same value: it does not for infinity."""
    if depth > DEEPEST:
        return False
    match value:
        case dict():
            return all(writable(each, depth + 1) for each in value.values())
        case list():
            return all(writable(each, depth + 1) for each in value)
        case float():
            return math.isfinite(value)
        case int():
            return abs(value) < 10**300  # Python refuses longer literals
    return True


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Scalar]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(inner, (*path, key))
        case list():
            for place, inner in enumerate(value):
                yield from _leaves(inner, (*path, place))
        case bool():
            return
        case str() | int() | float():
            yield path, value


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)
