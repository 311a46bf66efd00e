"""The locustfile that repeats recorded visits, as text. Whatever is foreign in it went through `repr`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from wsload.commands.har import texts
from wsload.commands.har.changes import Secrets
from wsload.commands.har.frames import Path
from wsload.commands.har.matching import How
from wsload.commands.har.recording import Connection
from wsload.commands.har.visit import Step, Visit, visit
from wsload.redact import HIDDEN, is_secret, public_subprotocol

WIDTH: Final = 90
"""A longer call has an argument a line."""
_MODULES: Final = (
    "asyncio",
    "itertools",
    "json",
    "os",
    "re",
    "secrets",
    "sys",
    "time",
    "urllib.parse",
    "uuid",
)


def locustfile(connections: Sequence[Connection]) -> tuple[str, tuple[Visit, ...], tuple[str, ...]]:
    """The text, what was understood of each connection, and the variables to set."""
    secrets = Secrets()
    visits = tuple(visit(connection, secrets) for connection in connections)
    classes = [_class(each, number, secrets) for number, each in enumerate(visits, start=1)]
    body = "\n\n".join(classes)
    variables = tuple(sorted(secrets.names.values()))
    helpers = [
        text
        for word, text in (("dump(", texts.DUMP), ("error_of", texts.ERROR_OF), ("errors", texts.ERRORS))
        if word in body
    ]
    if "decoded_record(" in body:
        helpers.insert(0, texts.DECODED_RECORD)
    if "decoded_after_digits(" in body:
        helpers.insert(0, texts.DECODED_SOCKET_IO)
    if "decoded(" in body + "".join(helpers):
        helpers.insert(0, texts.DECODED)
    if variables:
        helpers.append(
            texts.READ_HIDDEN + "\n\n" + "".join(f'{name} = secret("{name}")\n' for name in variables)
        )
    rest = "\n\n".join([*helpers, body])
    modules = [name for name in _MODULES if re.search(rf"\b{re.escape(name)}\.", rest)]
    imports = "".join(f"import {name}\n" for name in modules)
    imports += (
        "from typing import Any\n\nfrom locust import constant\n\nfrom wsload import WebSocketUser, task\n"
    )
    return f"{texts.HEAD}\n{imports}\n\n{rest}", visits, variables


def _class(found: Visit, number: int, secrets: Secrets) -> str:
    connection = found.connection
    sent = sum(message.sent for message in connection.messages)
    length_s = connection.messages[-1].at_s - connection.messages[0].at_s
    lines = [
        f"class Recorded{number if number > 1 else ''}(WebSocketUser):",
        f"    # {sent} messages sent and {len(connection.messages) - sent} received in {length_s:.1f} s.",
        f"    host = {connection.origin!r}  # --host names another",
        f"    url = {_url(found, secrets)}",
    ]
    if connection.left_out:
        lines.insert(
            2, f"    # {connection.left_out} further messages were left out: the recording is too long."
        )
    if connection.subprotocols:
        lines.append(f"    subprotocols = {_subprotocols(connection.subprotocols, secrets)}")
    lines += _pairs("headers", "header", connection.headers, secrets)
    lines += _pairs("cookies", "cookie", connection.cookies, secrets, always=True)
    lines += [
        "    auto_connect = reconnect = overlap = False  # each visit has a connection of its own",
        "    wait_time = constant(1)  # from the end of a visit to the next one",
    ]
    body = [*_visit(found), *_key_of(found), *_note(found), *_on_message(found)]
    if any("self.ids" in line for line in body):
        lines.append("    ids = itertools.count(secrets.randbelow(2**30))  # unlike those of other processes")
    return "\n".join([*lines, *body]) + "\n"


def _url(found: Visit, secrets: Secrets) -> str:
    """Path and query as an expression, its secrets in variables; a session of Engine.IO's is left out."""
    parts, plain = [], found.connection.path
    sign = "?"
    for name, value in found.connection.query:
        if found.socket_io and name == "sid":
            continue
        plain += sign + urlencode([(name, value)])
        sign = "&"
        if value and is_secret(name, value):
            text = plain[: len(plain) - len(urlencode([("", value)])) + 1]
            parts += [repr(text), f"urllib.parse.quote({secrets.name(name, value)})"]
            plain = ""
    return " + ".join([*parts, *([repr(plain)] if plain else [])])


def _subprotocols(names: Sequence[str], secrets: Secrets) -> str:
    shown = [
        secrets.name("subprotocol", name) if public_subprotocol(name) == HIDDEN else repr(name)
        for name in names
    ]
    return f"({', '.join(shown)}{',' if len(shown) == 1 else ''})"


def _pairs(
    attribute: str, what: str, pairs: Sequence[tuple[str, str]], secrets: Secrets, *, always: bool = False
) -> Iterator[str]:
    """The dict of headers or cookies, its secrets in variables."""
    if not pairs:
        return
    yield f"    {attribute} = {{"
    for name, value in dict(pairs).items():
        hidden = always or is_secret(name, value)
        shown = secrets.name(f"{what} {name}", value) if hidden and value else repr(value)
        yield f"        {name!r}: {shown},"
    yield "    }"


def _visit(found: Visit) -> Iterator[str]:
    yield from ("", "    @task", "    async def visit(self) -> None:")
    if found.given:
        yield from ("        self.gave: dict[str, Any] = {}", "        self.told = asyncio.Event()")
    if _firsts(found):
        yield "        self.answered: set[Any] = set()"
    yield from ("        await self.connect()", "        try:")
    steps = list(found.steps)
    while steps:
        count = next((n for n, step in enumerate(steps[1:], start=1) if not step.together), len(steps))
        yield from (" " * 12 + line for line in _together(steps[:count]))
        del steps[:count]
    if found.listens_s >= 0.02 or not found.steps:
        yield f"            await asyncio.sleep({max(found.listens_s, 0):.2f})  # the browser went on listening"
    yield from ("        finally:", "            await self.close()")


def _together(steps: Sequence[Step]) -> Iterator[str]:
    first = steps[0]
    if first.pause_s:
        yield f"await asyncio.sleep({first.pause_s})"
    for step in steps:
        yield from (f"# {note}" for note in step.notes)
        yield from step.before
    if len(steps) == 1:
        lines = _call(first)
        lines[0] = f"await {lines[0]}"
        lines[-1] += "" if first.how else "  # no answer was recognized"
        yield from lines
        return
    yield "await asyncio.gather(  # the browser did not wait for one before it sent the next"
    for step in steps:
        lines = _call(step)
        yield from (f"    {line}" for line in [*lines[:-1], f"{lines[-1]},"])
    yield ")"


def _call(step: Step) -> list[str]:
    """The call, in one line or an argument a line."""
    if step.how is None:
        return [f"self.send({step.data})"]
    method, key = ("round_trip", []) if step.how is How.TURN else ("request", [f"key={step.key}"])
    arguments = [step.data, *key, f"name={step.name!r}", *([f"check={step.check}"] if step.check else [])]
    line = f"self.{method}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return [line]
    return [f"self.{method}(", *(f"    {argument}," for argument in arguments), ")"]


def _decode(found: Visit) -> str:
    if found.records:
        return "decoded_record(message)"
    return "decoded_after_digits(message)" if found.socket_io else "decoded(message)"


def _firsts(found: Visit) -> bool:
    return any(answer.rule is not None and answer.rule.first for answer in found.answers)


def _key_of(found: Visit) -> Iterator[str]:
    cases: dict[str, list[str]] = {}
    for answer in found.answers:
        if (rule := answer.rule) is not None:
            for kind in rule.kinds or (None,):
                place = {rule.received: "str() | int() as key"} | ({kind[0]: repr(kind[1])} if kind else {})
                if rule.first:
                    lines = ["self.answered.add(key)", "return key"]
                    cases[f"case {pattern(place)} if key not in self.answered:"] = lines
                else:
                    cases[f"case {pattern(place)}:"] = ["return key"]
        elif answer.kind is not None:
            cases[f"case {pattern({answer.kind[0]: repr(answer.kind[1])})}:"] = [f"return {answer.kind[1]!r}"]
    numbered = any(answer.how is How.SOCKET_IO for answer in found.answers)
    if not cases and not numbered:
        return
    yield from ("", "    def key_of(self, message: Any) -> Any:")
    yield '        """The key of the request that a message answers."""'
    if found.given:
        yield "        self.note(message)"
    if numbered:
        yield "        # 40 is the server's connect, 43 and a number the acknowledgement of the event with that number."
        yield r'        found = re.match(r"4[03](/[^,]*,)?\d*", message) if isinstance(message, str) else None'
        yield from ("        if found:", "            return found[0]")
    if cases:
        yield f"        match {_decode(found)}:"
        for case, lines in cases.items():
            yield f"            {case}"
            yield from (f"                {line}" for line in lines)
    yield "        return None"


def _note(found: Visit) -> Iterator[str]:
    if not found.given:
        return
    yield from ("", *texts.GIVEN.rstrip("\n").split("\n"), "", "    def note(self, message: Any) -> None:")
    yield '        """Stores values from the server that are sent back later."""'
    yield f"        match {_decode(found)}:"
    cases: dict[str, list[str]] = {}
    for given in found.given:
        place = {given.path: "value"}
        if given.kind is not None and given.kind[0] != given.path:
            place[given.kind[0]] = repr(given.kind[1])
        cases.setdefault(pattern(place), []).append(given.name)
    for case, names in cases.items():
        yield f"            case {case}:"
        yield from (f"                self.gave[{name!r}] = value" for name in names)
        yield "                self.told.set()"


def _on_message(found: Visit) -> Iterator[str]:
    yield from ("", "    def on_message(self, message: Any) -> None:")
    yield '        """Called with each message that answers no request."""'
    keyed = any(answer.how is not How.TURN for answer in found.answers)
    if found.given and not keyed:
        yield "        self.note(message)"
    if found.socket_io:
        yield from ('        if message == "2":', '            self.send_nowait("3")  # the server\'s ping')
    if found.pong:
        ping, pong = found.pong
        assert ping.kind is not None
        yield f"        match {_decode(found)}:"
        yield f"            case {pattern({ping.kind[0]: repr(ping.kind[1])})}:"
        yield f"                self.send_nowait({pong.message.data!r})"
    elif found.graphql:
        yield '        if decoded(message) == {"type": "ping"}:'
        yield '            self.send_nowait(\'{"type":"pong"}\')'


def pattern(places: dict[Path, str]) -> str:
    """The pattern of a match statement for JSON with these literals or names at these paths."""
    tree: dict[str | int, Any] = {}
    for path, leaf in places.items():
        node = tree
        for step in path[:-1]:
            inner = node.setdefault(step, {})
            assert isinstance(inner, dict)
            node = inner
        node[path[-1]] = leaf
    return _pattern(tree)


def _pattern(tree: Any) -> str:
    if not isinstance(tree, dict):
        return str(tree)
    if all(isinstance(step, str) for step in tree):
        return "{" + ", ".join(f"{step!r}: {_pattern(inner)}" for step, inner in tree.items()) + "}"
    inner = [_pattern(tree.get(place, "_")) for place in range(max(tree) + 1)]
    return "[" + ", ".join([*inner, "*_"]) + "]"
