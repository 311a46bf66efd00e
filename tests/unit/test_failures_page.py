"""The documentation's page of failures names every kind there is."""

from __future__ import annotations

import re
from pathlib import Path

from wsload.load.users import base, http
from wsload.load.users.sockets.inbox import RECEIVE
from wsload.load.ws import failures
from wsload.load.ws.rules import Rule
from wsload.measure import names
from wsload.protocols.chat import socket

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "failures.md").read_text("utf-8")


def test_every_kind_is_explained() -> None:
    named = set(re.findall(r"`([^`]+)`", PAGE))
    kinds = {rule.value.kind for rule in Rule} | set(failures._ERRNO_KINDS.values())
    source = Path(failures.__file__).read_text("utf-8")
    kinds |= set(re.findall(r'(?:return |: \()"([a-zT][a-zTLS -]+)", ', source))
    assert len(kinds) > 30
    assert kinds - {"os error"} <= named


def test_every_kind_of_a_request_or_task_is_explained() -> None:
    section = PAGE[PAGE.index("## Requests, tasks and the load generator") : PAGE.index("## HTTP calls")]
    named = set(re.findall(r"`([^`]+)`", section))
    kinds = {names.TIMEOUT, names.UNANSWERED, names.NOT_CONNECTED, names.TOO_MANY, names.WAITED}
    kinds |= {names.TOO_LATE, names.OTHER_KINDS, names.FORGOTTEN, RECEIVE}
    chat, user = Path(socket.__file__).read_text("utf-8"), Path(base.__file__).read_text("utf-8")
    for arguments in re.findall(r"failed\(MESSAGE, (.+?)(?:, detail=.+)?\)$", chat, re.MULTILINE):
        kinds |= set(re.findall(r'"([^"]+)"', arguments))
    kinds |= set(re.findall(r'failed\(f"feed {attribute}", "([^"]+)"', user))
    assert len(kinds) == 13
    assert kinds <= named


def test_every_kind_of_an_http_call_is_explained() -> None:
    named = set(re.findall(r"`([^`]+)`", PAGE[PAGE.index("## HTTP calls") :]))
    source = Path(http.__file__).read_text("utf-8")
    kinds = {http.TIMEOUT, http.UNANSWERED, http.CANCELLED}
    kinds |= set(re.findall(r'return "([a-z ]+)", ', source[source.index("def _kind_of") :]))
    assert len(kinds) == 8
    assert kinds <= named
