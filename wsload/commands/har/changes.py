"""The parts of a sent message that differ each time: keys, values from the server, secrets, times. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from wsload.commands.har.frames import Frame, Path, Scalar
from wsload.commands.har.matching import Answer, Fresh, How, is_id, time_unit

_SECRET: Final = re.compile(
    r"pass(word|wd|phrase|code)?$|pwd|secret|token|bearer|authoriz|api_?key|jwt|credential|session_?id",
    re.IGNORECASE,
)
"""In the name of a value inside a message."""
_JWT: Final = r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"
_IN_TEXT: Final = re.compile(
    rf"(?i:\b(?P<name>pass\w*|pwd|\w*token|\w*secret|authorization)\s*[:=]\s*)(?P<value>[^\s&;,\"'\0]+)|(?P<jwt>{_JWT})"
)
"""A secret inside text that is no JSON."""
_LOOKS_RANDOM: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_.~+/=-]{16,}")
_FRESH: Final = {
    Fresh.NUMBER: "next(self.ids)",
    Fresh.DIGITS: "str(next(self.ids))",
    Fresh.UUID: "str(uuid.uuid4())",
    Fresh.TOKEN: "secrets.token_hex(8)",
}


class Secrets:
    """The variables that stand for the recording's secrets."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        """By the secret."""

    def name(self, what: str, value: str) -> str:
        """The variable for this value; a Python name too."""
        if value not in self.names:
            stem = "WS_" + re.sub(r"[^A-Z0-9]+", "_", what.upper()).strip("_")[:40]
            taken = set(self.names.values())
            number = 2
            name = stem
            while name in taken:
                name, number = f"{stem}_{number}", number + 1
            self.names[value] = name
        return self.names[value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value that the server sends and the client sends back."""

    name: str
    kind: tuple[Path, str] | None
    path: Path


@dataclass(slots=True)
class Changes:
    """The changes of one sent message: Python expressions by the path of what they replace."""

    expressions: dict[Path, str] = field(default_factory=dict)
    key: str = ""
    """The expression of the request's key; empty where it has none."""
    before: list[str] = field(default_factory=list)
    """Lines that make new values."""
    notes: list[str] = field(default_factory=list)
    """Comments on it in the locustfile."""


class Changing:
    """Follows one connection's messages in their order."""

    def __init__(self, frames: Sequence[Frame], answers: dict[int, Answer], secrets: Secrets) -> None:
        self._frames, self._answers, self._secrets = frames, answers, secrets
        self._keys: dict[Scalar, str] = {}
        """Variables by the recorded value that they replace."""
        self._quoting = {answer.rule.received for answer in answers.values() if answer.rule is not None}
        self._received: dict[tuple[bool, Scalar], tuple[int, Path]] = {}
        self.given: dict[tuple[tuple[Path, str] | None, Path], Given] = {}

    def receive(self, place: int) -> None:
        """A received message is passed."""
        for path, value in self._frames[place].leaves():
            if path not in self._quoting:
                self._received.setdefault((isinstance(value, str), value), (place, path))

    def send(self, place: int) -> Changes:
        """The changes of a sent message."""
        frame, answer, changes = self._frames[place], self._answers.get(place), Changes()
        rule = answer.rule if answer else None
        if rule is not None:
            self._key(changes, rule.sent, frame.at(rule.sent), rule.fresh)
        elif answer is not None and answer.how is How.KIND and answer.kind is not None:
            changes.key = repr(answer.kind[1])
        for path, value in frame.leaves():
            if path not in changes.expressions and (path, value) != frame.kind:
                self._change(changes, frame, path, value)
        return changes

    def _key(self, changes: Changes, path: Path, value: Scalar, fresh: Fresh) -> None:
        if fresh is Fresh.SAME:
            changes.key = repr(value)
            return
        name = f"key_{len(self._keys) + 1}"
        if fresh is not Fresh.TEXT:
            made = _FRESH[fresh]
        else:
            made = f"{value!r} + ' ' + secrets.token_hex(4)"
            changes.notes.append(f"{_said(path)} is made unique, so that its echo can be recognized")
        self._keys[value] = changes.key = changes.expressions[path] = name
        changes.before.append(f"{name} = {made}")

    def _change(self, changes: Changes, frame: Frame, path: Path, value: Scalar) -> None:
        text = isinstance(value, str)
        name = next((step for step in reversed(path) if isinstance(step, str)), "value")
        there = self._received.get((text, value))
        if value in self._keys and (is_id(path, frame) or (text and len(str(value)) > 3)):
            changes.expressions[path] = self._keys[value]
        elif there is not None and (
            is_id(path) or is_id(there[1]) or (text and _LOOKS_RANDOM.fullmatch(str(value)))
        ):
            given = self._give(name, *there)
            changes.expressions[path] = f"await self.given({given.name!r})"
            changes.notes.append(f"{_said(path)} is the value that the server sent")
        elif text and value and (_SECRET.search(name) or re.fullmatch(_JWT, str(value))):
            changes.expressions[path] = self._secrets.name(name, str(value))
        elif unit := time_unit(value, frame.at_s):
            now = "time.time()" if unit == 1 and isinstance(value, float) else f"round(time.time() * {unit})"
            changes.expressions[path] = now
            changes.notes.append(f"{_said(path)} was a timestamp: replaced by the time of sending")
        elif text and _LOOKS_RANDOM.fullmatch(str(value)):
            changes.notes.append(f"{_said(path)} looks random: check whether all users may send the same")

    def _give(self, name: str, place: int, path: Path) -> Given:
        where = (self._frames[place].kind, path)
        if where not in self.given:
            self.given[where] = Given(name=f"{name[:40]} {len(self.given) + 1}", kind=where[0], path=path)
        return self.given[where]

    def text(self, text: str) -> str:
        """The expression of a text that is no JSON, its secrets replaced by variables."""
        parts, end = [], 0
        for found in _IN_TEXT.finditer(text):
            group = "value" if found["value"] else "jwt"
            if found.start(group) > end:
                parts.append(repr(text[end : found.start(group)]))
            parts.append(self._secrets.name(found["name"] or "token", found[group]))
            end = found.end(group)
        if end < len(text) or not parts:
            parts.append(repr(text[end:]))
        return " + ".join(parts)


def _said(path: Path) -> str:
    return repr(".".join(map(str, path))[:80])
