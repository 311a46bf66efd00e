"""A recording into a locustfile: what is matched, changed and hidden; and nothing foreign becomes code."""

from __future__ import annotations

import ast
import base64
import itertools
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote as quoted

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from wsload.commands.har import recording
from wsload.commands.har.locustfile import locustfile
from wsload.commands.har.matching import How
from wsload.commands.har.recording import read
from wsload.commands.har.visit import Visit
from wsload.errors import UsageError

AT_S = 1_764_000_000.0
URL = "wss://shop.example.org/live"


def told(kind: str, data: object, after_s: float = 0.0, opcode: int = 1) -> dict[str, Any]:
    text = data if isinstance(data, str) else json.dumps(data)
    return {"type": kind, "time": AT_S + after_s, "opcode": opcode, "data": text}


def entry(*messages: object, url: str = URL, headers: object = (), cookies: object = ()) -> dict[str, Any]:
    request = {"method": "GET", "url": url, "headers": list(headers), "cookies": list(cookies)}  # type: ignore[call-overload]
    return {"_resourceType": "websocket", "request": request, "_webSocketMessages": list(messages)}


def pair(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def made(tmp_path: Path, *entries: object) -> tuple[str, tuple[Visit, ...], tuple[str, ...]]:
    path = tmp_path / "session.har"
    path.write_text(json.dumps({"log": {"entries": entries}}), "utf-8")
    text, visits, variables = locustfile(read(path))
    compile(text, "locustfile.py", "exec")
    return flat(text), visits, variables


def flat(text: str) -> str:
    """The text with each call of several lines in one."""
    return re.sub(r",\n +\)", ")", re.sub(r",\n +(?=\w+=)", ", ", re.sub(r"\((\n) +", "(", text)))


def code(tmp_path: Path, *messages: object, **settings: Any) -> str:
    return made(tmp_path, entry(*messages, **settings))[0]


def hows(tmp_path: Path, *messages: object, **settings: Any) -> list[How | None]:
    return [step.how for step in made(tmp_path, entry(*messages, **settings))[1][0].steps]


# What answers what


def test_json_rpc_answers_in_any_order_among_pushes(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", {"jsonrpc": "2.0", "id": 1, "method": "getBook", "params": {"n": 1}}, 0.0),
        told("send", {"jsonrpc": "2.0", "id": 2, "method": "refused", "params": {"n": 7}}, 0.01),
        told("receive", {"jsonrpc": "2.0", "method": "price", "params": {"value": 1}}, 0.02),
        told("receive", {"jsonrpc": "2.0", "id": 2, "result": {}}, 0.03),
        told("receive", {"jsonrpc": "2.0", "id": 1, "result": {}}, 0.04),
        told("send", {"jsonrpc": "2.0", "id": 3, "method": "ping"}, 2.04),
        told("receive", {"jsonrpc": "2.0", "id": 3, "result": {}}, 2.05),
    )
    assert "await asyncio.gather(" in text, "the second was sent before the first was answered"
    assert "'id': key_1, 'method': 'getBook'" in text and "key=key_1, name='getBook', check=error_of)" in text
    assert "key_1 = next(self.ids)" in text
    assert "await asyncio.sleep(2.0)" in text
    assert "name='ping request'" in text, "wsload has a ping of its own"
    assert "name='refused request'" in text, "and a total of refusals"
    assert "case {'id': str() | int() as key}:" in text


def test_a_list_with_a_reference(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("receive", ["welcome", "7", 0]),
        told("send", ["say", "11", "hello"], 1.0),
        told("receive", ["said", "ada", "11", "hello"], 1.1),
        told("send", ["say", "12", "hello"], 2.0),
        told("receive", ["said", "ada", "12", "hello"], 2.1),
    )
    assert "dump(['say', key_1, 'hello']), key=key_1, name='say')" in text
    assert "case [_, _, str() | int() as key, *_]:" in text
    assert "key_1 = str(next(self.ids))" in text


def test_an_answer_of_its_own_kind(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", {"op": "subscribe", "channel": "prices"}),
        told("receive", {"op": "subscribed"}, 0.1),
        told("receive", {"op": "price", "value": 3}, 0.2),
        told("receive", {"op": "price", "value": 4}, 0.3),
    )
    assert "key='subscribed', name='subscribe')" in text
    assert "case {'op': 'subscribed'}:" in text


def test_turns_are_taken_only_where_all_messages_take_turns(tmp_path: Path) -> None:
    echo = [
        told("send", "one"),
        told("receive", "one", 0.1),
        told("send", "two", 1.0),
        told("receive", "2", 1.1),
    ]
    assert hows(tmp_path, told("receive", "welcome"), *echo) == [How.TURN, How.TURN]
    assert "await self.round_trip('two', name='message')" in code(tmp_path, *echo)
    assert hows(tmp_path, *echo, told("receive", "a push", 1.2)) == [None, None]
    assert "self.send('two')  # no answer was recognized" in code(
        tmp_path, *echo, told("receive", "push", 1.2)
    )


def test_binary_messages(tmp_path: Path) -> None:
    data = base64.b64encode(b"\x10\x0cMQTT").decode()
    text = code(
        tmp_path, told("send", data, opcode=2), told("receive", data, 0.1, opcode=2), told("send", data, 1, 9)
    )
    assert r"self.round_trip(b'\x10\x0cMQTT', name='message')" in text


def test_a_constant_that_is_echoed_stays(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", {"do": "watch", "symbol": "ACME"}),
        told("receive", {"now": "watching", "symbol": "ACME"}, 0.1),
        told("receive", {"tick": 1}, 0.2),
    )
    assert """self.request('{"do": "watch", "symbol": "ACME"}', key='ACME', name='message')""" in text


def test_phoenix(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", ["3", "3", "room:lobby", "phx_join", {}]),
        told("receive", ["3", "3", "room:lobby", "phx_reply", {"status": "ok"}], 0.1),
        told("send", ["3", "4", "room:lobby", "shout", {"body": "hi"}], 1.0),
        told("receive", ["3", None, "room:lobby", "shout", {"body": "hi"}], 1.1),
        told("receive", ["3", "4", "room:lobby", "phx_reply", {"status": "ok"}], 1.2),
    )
    assert "dump([key_1, key_1, 'room:lobby', 'phx_join', {}]), key=key_1, name='phx_join')" in text
    assert "dump([key_1, key_2, 'room:lobby', 'shout', {'body': 'hi'}]), key=key_2, name='shout')" in text
    assert "case [_, str() | int() as key, *_]:" in text


def test_signalr(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", '{"protocol":"json","version":1}\x1e'),
        told("receive", "{}\x1e", 0.1),
        told("send", '{"invocationId":"0","target":"Say","type":1}\x1e', 1.0),
        told("receive", '{"type":3,"invocationId":"0","result":null}\x1e', 1.1),
    )
    assert (
        r"dump({'invocationId': key_1, 'target': 'Say', 'type': 1}) + '\x1e', key=key_1, name='Say')" in text
    )
    assert "match decoded_record(message):" in text


def test_pings_inside_the_protocol_are_answered(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", {"msg": "method", "id": "1", "method": "add"}),
        told("receive", {"msg": "result", "id": "1", "result": 2}, 0.1),
        told("receive", {"msg": "updated", "methods": ["1"]}, 0.2),
        told("receive", {"msg": "ping"}, 20.0),
        told("send", {"msg": "pong"}, 20.01),
    )
    assert "key=key_1, name='add')" in text
    assert "case {'msg': 'ping'}:" in text and """self.send_nowait('{"msg": "pong"}')""" in text
    assert "self.send('" not in text, "it is no step of its own"


def test_numbers_that_count_are_data_where_they_have_another_name(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("send", {"page": 1}), told("receive", {"page": 1, "rows": []}, 0.1),
        told("send", {"page": 2}, 1.0), told("receive", {"page": 2, "rows": []}, 1.1),
    )  # fmt: skip
    assert """self.request('{"page": 1}', key=1, name='message')""" in text
    assert "ids =" not in text


# What changes


def test_what_the_server_gave_is_sent_back(tmp_path: Path) -> None:
    text = code(
        tmp_path,
        told("receive", {"type": "welcome", "session": {"sessionId": 4711}}),
        told("send", {"type": "join", "sessionId": 4711, "at": (AT_S + 1) * 1000}, 1.0),
        told("send", {"type": "leave", "sessionId": 4711, "at": round(AT_S + 2)}, 2.0),
    )
    assert text.count("await self.given('sessionId 1')") == 2
    assert "case {'session': {'sessionId': value}, 'type': 'welcome'}:" in text
    assert "round(time.time() * 1000)" in text and "round(time.time() * 1)" in text
    assert "4711" not in text


def test_secrets_become_variables(tmp_path: Path) -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    text, _, variables = made(
        tmp_path,
        entry(
            told("send", {"login": "ada", "password": "hunter2hunter2"}),
            told("send", {"hello": jwt}, 0.1),
            told("send", "CONNECT\npasscode:guest-pass\n\n\0", 0.2),
            url=URL + "?room=7&token=query-secret&x=1",
            headers=[pair("Authorization", "Bearer header-secret"), pair("X-Trace", "on"), pair("Host", "a")],
            cookies=[pair("sid", "cookie-secret"), pair("empty", "")],
        ),
    )
    for secret in ("hunter2", jwt, "guest-pass", "query-secret", "header-secret", "cookie-secret"):
        assert secret not in text
    assert variables == (
        "WS_COOKIE_SID", "WS_HEADER_AUTHORIZATION", "WS_HELLO", "WS_PASSCODE", "WS_PASSWORD", "WS_TOKEN",
    )  # fmt: skip
    assert "url = '/live?room=7&token=' + urllib.parse.quote(WS_TOKEN) + '&x=1'" in text
    assert "'X-Trace': 'on'," in text and "'empty': ''," in text and "Host" not in text
    assert r"'CONNECT\npasscode:' + WS_PASSCODE + '\n\n\x00'" in text


def test_the_opening(tmp_path: Path) -> None:
    offered = pair("Sec-WebSocket-Protocol", "v2.json, bad protocol, v1.json")
    text, visits, _ = made(
        tmp_path,
        entry(told("send", "a"), headers=[offered, pair("Cookie", "a=b; theme=dark")]),
        entry(told("receive", "b"), url="https://[::1]:8443"),
        entry(),
    )
    assert "subprotocols = ('v2.json', 'v1.json')" in text
    assert "'a': WS_COOKIE_A" in text and "'theme': WS_COOKIE_THEME" in text
    assert "host = 'wss://[::1]:8443'" in text and "class Recorded2(WebSocketUser)" in text
    assert len(visits) == 2


def test_a_token_among_the_subprotocols_is_a_secret(tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9"
    text, _, variables = made(
        tmp_path,
        entry(told("send", "a"), headers=[pair("Sec-WebSocket-Protocol", f"v4.json, bearer.{token}")]),
    )
    assert token not in text
    assert "subprotocols = ('v4.json', WS_SUBPROTOCOL)" in text and "WS_SUBPROTOCOL" in variables


def test_times_in_milliseconds_and_none_at_all(tmp_path: Path) -> None:
    first, answer, last = (
        told(kind, text) for kind, text in (("send", "a"), ("receive", "b"), ("send", "c"))
    )
    milliseconds = [{**first, "time": AT_S * 1000}, {**answer, "time": AT_S * 1000}]
    assert "await asyncio.sleep(1.5)" in code(tmp_path, *milliseconds, {**last, "time": AT_S * 1000 + 1500})
    for message in (first, answer, last):
        del message["time"]
    text = code(tmp_path, first, answer, last, told("receive", "d"))
    assert "self.round_trip('c', name='message')" in text


# Foreign files


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x80", "not a HAR file: it is not JSON"),
        (b"[" * 100_000, "not a HAR file: it is not JSON"),
        (b"[]", "not a HAR file: it has no log.entries"),
        (b'{"log": {"entries": []}}', "has no WebSocket"),
        (json.dumps({"log": {"entries": [{"request": {"url": URL}}]}}).encode(), "Firefox leaves them out"),
        (None, "can't be read (No such file or directory)"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "session.har"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        read(path)
    assert problem in str(refused.value) and "\n" not in str(refused.value)


def test_a_recording_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_MESSAGES", 3)
    text = code(tmp_path, *(told("send", f"text {n}", n) for n in range(5)))
    assert "2 further messages were left out" in text and "text 3" not in text
    monkeypatch.setattr(recording, "MAX_SENT_BYTES", 10)
    assert "text 1" not in code(tmp_path, *(told("send", f"text {n}", n) for n in range(5)))
    monkeypatch.setattr(recording, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="larger than 0 MiB"):
        code(tmp_path, told("send", "x" * 100))


HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "'''", '"""', "\\", "\n", "');__import__('os').system('evil')#", "{__import__('os')}", "\ud800", "\0",
            "type", "id", "subscribe", "connection_init", "eyJhbGciOi.eyJzdWIi.sig", "password: hunter2", "\u2028",
            "420", "40", "430[]", "420[\"a\",1]", "2probe", "token=a'b", "\x1b[31m", "NaN", "1e999", "-0",
        ]
    ),
)  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), HOSTILE, st.just(AT_S * 1000)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HOSTILE, inner, max_size=4),
    max_leaves=12,
)
DATA = st.one_of(
    HOSTILE,
    JSON.map(json.dumps),
    st.tuples(st.sampled_from(["42", "421", "43", "431", "40/a,", "0"]), JSON.map(json.dumps)).map("".join),
    st.fixed_dictionaries({"id": st.sampled_from(["1", 2, "x'y"]), "type": HOSTILE, "a": JSON}).map(
        json.dumps
    ),
)
MESSAGE = st.one_of(
    st.builds(
        told, st.sampled_from(["send", "receive"]), DATA, st.floats(), st.sampled_from([1, 1, 1, 2, 9])
    ),
    JSON,
)


def quote(text: str) -> str:
    return quoted(text.encode("utf-8", "replace"))


ECHO = DATA.map(lambda data: [told("send", data), told("receive", data, 0.05)])
HEADERS = st.lists(
    st.builds(pair, HOSTILE | st.sampled_from(["Sec-WebSocket-Protocol", "X-A"]), HOSTILE), max_size=3
)
CONNECTION = st.builds(
    lambda messages, echoes, url, headers, cookies: entry(
        *messages, *itertools.chain(*echoes), url=url, headers=headers, cookies=cookies
    ),
    st.lists(MESSAGE, max_size=6),
    st.lists(ECHO, min_size=1, max_size=3),
    st.one_of(
        st.builds("wss://a.b:1/{}?{}={}".format, HOSTILE.map(quote), HOSTILE.map(quote), HOSTILE.map(quote)),
        st.sampled_from([URL, "wss://a/?EIO=4&sid=1", "ws://[x]:y/", "http://a/'?\"=\\"]),
    ),
    HEADERS,
    st.lists(st.builds(pair, HOSTILE | st.just("sid"), HOSTILE), max_size=2),
)
NAMES = re.compile(r"key_\d+|number_\d+|Recorded\d*|WS_[A-Z0-9_]*")


def identifiers(text: str) -> set[str]:
    """Every name in the code, and none of the texts."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        for attribute in ("id", "attr", "arg", "name", "module", "rest"):
            value = getattr(node, attribute, None)
            if isinstance(value, str):
                found.add(value)
        assert (
            not isinstance(node, ast.JoinedStr)
            or "set {name}" in ast.unparse(node)
            or "error {" in ast.unparse(node)
        )
    return {name for name in found if not NAMES.fullmatch(name)}


KNOWN = {
    *(
        "Any",
        "ValueError",
        "WebSocketUser",
        "annotations",
        "answer",
        "answered",
        "asyncio",
        "auto_connect",
        "bool",
    ),
    *(
        "check",
        "clear",
        "close",
        "code",
        "connect",
        "constant",
        "cookies",
        "count",
        "decoded",
        "decoded_after_digits",
        "decoded_record",
        "rstrip",
        "randbelow",
    ),
    *(
        "dict",
        "dump",
        "dumps",
        "environ",
        "error_of",
        "errors",
        "Event",
        "found",
        "gather",
        "get",
        "gave",
        "given",
    ),
    *(
        "headers",
        "host",
        "ids",
        "int",
        "isinstance",
        "itertools",
        "json",
        "key",
        "key_of",
        "loads",
        "locust",
        "match",
    ),
    *(
        "message",
        "next",
        "name",
        "next",
        "note",
        "on_message",
        "os",
        "overlap",
        "parse",
        "quote",
        "re",
        "reconnect",
        "request",
    ),
    *(
        "round",
        "round_trip",
        "secret",
        "secrets",
        "self",
        "send",
        "send_nowait",
        "separators",
        "set",
        "sleep",
        "str",
    ),
    *(
        "sub",
        "subprotocols",
        "sys",
        "exit",
        "task",
        "time",
        "timeout",
        "token_hex",
        "told",
        "typing",
        "url",
        "urllib",
    ),
    *("urllib.parse", "uuid", "uuid4", "value", "visit", "wait", "wait_time", "wsload", "add"),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(CONNECTION | JSON, min_size=1, max_size=3))
def test_nothing_foreign_becomes_code(tmp_path: Path, entries: list[object]) -> None:
    path = tmp_path / "session.har"
    path.write_text(json.dumps({"log": {"entries": entries}}), "utf-8")
    try:
        text, _, variables = locustfile(read(path))
    except UsageError:
        return
    compile(text.encode(), "locustfile.py", "exec")
    event("a locustfile was made")
    assert identifiers(text) <= KNOWN
    assert all(re.fullmatch(r"WS_[A-Z0-9_]*", name) for name in variables)


def test_a_name_in_the_code_would_be_found() -> None:
    assert "evil" in identifiers("evil()") and "system" in identifiers("os.system")
