"""One recorded connection as steps: what is sent, after which pause, and how its answer is told. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wsload.commands.har.changes import Changes, Changing, Given, Secrets
from wsload.commands.har.frames import NO_JSON, Frame, Path, frame, socket_io
from wsload.commands.har.matching import Answer, Fresh, How, answers
from wsload.commands.har.recording import Connection, Message
from wsload.measure.given_names import is_total, one_line
from wsload.measure.names import OWN, split

GRAPHQL: Final = ("graphql-transport-ws", "graphql-ws")
_OPERATION: Final = re.compile(r"\{\s*(?:\w+\s*:\s*)?(\w+)")
_MIN_PAUSE_S: Final = 0.02
"""Shorter pauses come from the browser itself and are not think time."""
_TOGETHER_S: Final = 0.1
"""Requests that follow each other so closely, without waiting for an answer, are sent together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A message that is sent."""

    name: str
    """What its request is called."""
    data: str
    """The expression of what is sent."""
    how: How | None
    """None where no answer is known."""
    key: str
    """The expression of its key, if it has one."""
    check: str
    """The function that judges its answer, if there is one."""
    before: tuple[str, ...]
    notes: tuple[str, ...]
    pause_s: float
    together: bool
    """Whether it was sent with the step before, without waiting for that one's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A connection, understood."""

    connection: Connection
    socket_io: bool
    graphql: bool
    pong: tuple[Frame, Frame] | None
    """A ping inside JSON that the server sends, and what answers it."""
    records: bool
    """Whether messages end with SignalR's record separator."""
    answers: tuple[Answer, ...]
    given: tuple[Given, ...]
    steps: tuple[Step, ...]
    listens_s: float
    """How long the recording goes on after the last step."""


def visit(connection: Connection, secrets: Secrets) -> Visit:
    """What a user who repeats this connection has to do."""
    is_socket_io = "EIO" in dict(connection.query)
    graphql = not set(GRAPHQL).isdisjoint(connection.subprotocols)
    frames = [frame(message, socket_io=is_socket_io) for message in _spoken(connection)]
    pong = _pong(frames)
    # What on_message answers by itself is no step.
    frames = [
        each
        for each in frames
        if not each.message.sent
        or not (each.kind == pong[1].kind if pong else is_socket_io and each.message.data == "3")
    ]
    found = answers(frames)
    changing = Changing(frames, found, secrets)
    maker = _Maker(frames, found, changing, graphql)
    steps = tuple(maker.steps())
    return Visit(
        connection=connection,
        socket_io=is_socket_io,
        graphql=graphql,
        pong=pong,
        records=any(each.tail for each in frames),
        answers=tuple(found.values()),
        given=tuple(changing.given.values()),
        steps=steps,
        listens_s=frames[-1].at_s - maker.free_at_s if frames else 0.0,
    )


def _spoken(connection: Connection) -> Iterator[Message]:
    """The messages; those of an upgrade from HTTP polling as if the connection had begun as a WebSocket."""
    if "sid" not in dict(connection.query) or "EIO" not in dict(connection.query):
        yield from connection.messages
        return
    at_s = connection.messages[0].at_s
    packets = (packet for body in connection.posted for packet in body.split("\x1e"))
    for packet in [packet for packet in packets if packet.startswith("40")] or ["40"]:
        parts = re.match(r"40(?:/[^,]*,)?", packet)
        assert parts is not None
        yield Message(at_s=at_s, sent=True, data=packet)
        yield Message(at_s=at_s, sent=False, data=parts[0])
    yield from (
        message for message in connection.messages if message.data not in ("2probe", "3probe", "5", "6")
    )


def _pong(frames: Sequence[Frame]) -> tuple[Frame, Frame] | None:
    """A ping inside JSON that the server sent, and the browser's answer."""
    ping = next(
        (each for each in frames if not each.message.sent and each.kind and each.kind[1] == "ping"), None
    )
    pong = next((each for each in frames if each.message.sent and each.kind and each.kind[1] == "pong"), None)
    return (ping, pong) if ping and pong else None


class _Maker:
    def __init__(
        self, frames: Sequence[Frame], found: dict[int, Answer], changing: Changing, graphql: bool
    ) -> None:
        self._frames, self._answers, self._changing, self._graphql = frames, found, changing, graphql
        self.free_at_s = frames[0].at_s if frames else 0.0
        """When the user had nothing to wait for any more."""
        self._numbers = 0

    def steps(self) -> Iterator[Step]:
        """Each message that was sent, in order."""
        before: tuple[float, bool] = (0.0, False)
        for place, each in enumerate(self._frames):
            if not each.message.sent:
                self._changing.receive(place)
                continue
            answer, changes = self._answers.get(place), self._changing.send(place)
            data = self._data(each, answer, changes)
            sent_s, waits = before
            may = answer is not None and _own_key(answer)
            pause_s = each.at_s - self.free_at_s
            yield Step(
                name=self._name(each),
                data=data,
                how=answer.how if answer else None,
                key=changes.key,
                check=self._check(each, answer),
                before=tuple(changes.before),
                notes=tuple(changes.notes),
                pause_s=round(pause_s, 2) if pause_s >= _MIN_PAUSE_S else 0.0,
                together=may and waits and each.at_s - sent_s < _TOGETHER_S and each.at_s < self.free_at_s,
            )
            before = each.at_s, may
            self.free_at_s = max(self.free_at_s, answer.at_s if answer else each.at_s)

    def _data(self, each: Frame, answer: Answer | None, changes: Changes) -> str:
        data = each.message.data
        if isinstance(data, bytes):
            return repr(data)
        head = repr(each.head) if each.head else ""
        if answer is not None and answer.how is How.SOCKET_IO:
            head = self._head(each.head, changes)
        if not each.is_json:
            return head or self._changing.text(data)
        if not changes.expressions and head in ("", repr(each.head)):
            return repr(data)
        written = f"dump({literal(each.value, (), changes.expressions)})" + (
            f" + {each.tail!r}" if each.tail else ""
        )
        return f"{head} + {written}" if head else written

    def _head(self, head: str, changes: Changes) -> str:
        """What stands before Socket.IO's JSON, with a new number for what is acknowledged."""
        parts = socket_io(head)
        assert parts is not None
        if parts["type"] == "0":
            changes.key = repr(head)
            return repr(head)
        self._numbers += 1
        name = f"number_{self._numbers}"
        changes.before.append(f"{name} = str(next(self.ids))")
        changes.key = f"{'43' + parts['namespace']!r} + {name}"
        return f"{'42' + parts['namespace']!r} + {name}"

    def _name(self, each: Frame) -> str:
        parts = socket_io(each.head) if each.head else None
        if parts and parts["code"] == "4" and parts["type"] == "0":
            return "connect"
        query = each.at(("payload", "query")) if self._graphql else None
        if isinstance(query, str):
            operation = each.at(("payload", "operationName"))
            if isinstance(operation, str) and operation:
                return _usable(operation)
            found = _OPERATION.search(query)
            return _usable(found[1] if found else "query")
        method = each.at(("method",))
        if isinstance(method, str) and method:
            return _usable(method)
        if each.kind:
            return _usable(each.kind[1])
        inner = each.value.items() if isinstance(each.value, dict) else ()
        target = each.at(("target",))  # SignalR's
        fallback = next((name for name, value in inner if isinstance(value, dict)), "message")
        return _usable(target if isinstance(target, str) else fallback)

    def _check(self, each: Frame, answer: Answer | None) -> str:
        if answer is None or answer.how is not How.VALUE:
            return ""
        if self._graphql:
            return "errors"
        return "error_of" if each.at(("jsonrpc",)) == "2.0" else ""


def literal(value: Any, path: Path, expressions: dict[Path, str]) -> str:
    """JSON as a Python literal, with expressions in some places."""
    assert value is not NO_JSON
    if path in expressions:
        return expressions[path]
    match value:
        case dict():
            inner = (f"{key!r}: {literal(each, (*path, key), expressions)}" for key, each in value.items())
            return "{" + ", ".join(inner) + "}"
        case list():
            return "[" + ", ".join(literal(e, (*path, n), expressions) for n, e in enumerate(value)) + "]"
    return repr(value)


def _own_key(answer: Answer) -> bool:
    """Whether each request has a key of its own, so that several may be in flight."""
    if answer.how is How.SOCKET_IO:
        return True
    return answer.how is How.VALUE and answer.rule is not None and answer.rule.fresh is not Fresh.SAME


def _usable(name: str) -> str:
    """The name of a request: not one of wsload's own metrics or totals, and in one line."""
    try:
        text = one_line(name)
    except ValueError:
        return "message"
    return f"{text} request" if text in OWN or is_total(text) or split(text)[1] else text
